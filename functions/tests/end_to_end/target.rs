//! The target of the suite, by `HERALD_TARGET`:
//!
//! - unset or `local`: every test starts a local stack.
//! - `emulator`: all tests share the deployment that the environment describes, one variable for each
//!   output of the template: `HERALD_WEB_SOCKET_URI`, `HERALD_TABLE_NAME` and so on.
//! - `stack:NAME`: the same with the outputs of a CloudFormation stack, which the AWS CLI reads.
//!
//! For the last two, Region, credentials and endpoint are configured as for any AWS SDK. The AWS CLI
//! reads the outputs, because a crate for CloudFormation would add a minute to every `cargo test`.

use std::{
    collections::{BTreeMap, HashMap},
    env,
    process::Command,
    sync::Arc,
};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use herald_shared::store::seed;
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell, OwnedMutexGuard};

use crate::queues::Queues;

/// The addresses of a deployment that a test needs.
#[derive(Clone, Debug)]
pub struct Addresses {
    pub web_socket: String,
    pub table: String,
    /// The bus for events, if it is not the default one.
    pub bus: Option<String>,
    /// URLs by logical id.
    pub queues: BTreeMap<String, String>,
}

/// Returns the deployment that `HERALD_TARGET` names. `None` for a local stack.
pub fn deployment() -> Option<Addresses> {
    let target = env::var("HERALD_TARGET").unwrap_or_default();
    match target.as_str() {
        "" | "local" => None,
        "emulator" => Some(Addresses::from_outputs(|output| {
            let name = variable(output);
            env::var(&name).unwrap_or_else(|_| panic!("{name} is not set"))
        })),
        _ => {
            let name = target.strip_prefix("stack:").unwrap_or_else(|| {
                panic!("HERALD_TARGET must be local, emulator or stack:NAME, got {target}")
            });
            let outputs = outputs_of(name);
            Some(Addresses::from_outputs(|output| {
                let value = outputs.get(output);
                value
                    .unwrap_or_else(|| panic!("the stack {name} has no output {output}"))
                    .clone()
            }))
        }
    }
}

impl Addresses {
    fn from_outputs(output: impl Fn(&str) -> String) -> Self {
        let queues = [
            "NotificationQueue",
            "NotificationDeadLetterQueue",
            "EventsDeadLetterQueue",
        ]
        .map(|queue| (queue.to_owned(), output(&format!("{queue}Url"))));
        Self {
            web_socket: output("WebSocketUri"),
            table: output("TableName"),
            bus: Some(output("EventBusName")),
            queues: queues.into(),
        }
    }
}

/// Returns the variable of an output: `HERALD_TABLE_NAME` for `TableName`.
fn variable(output: &str) -> String {
    let mut name = "HERALD".to_owned();
    for character in output.chars() {
        if character.is_uppercase() {
            name.push('_');
        }
        name.extend(character.to_uppercase());
    }
    name
}

fn outputs_of(stack: &str) -> HashMap<String, String> {
    let described = Command::new("aws")
        .args(["cloudformation", "describe-stacks", "--output", "json"])
        .args(["--query", "Stacks[0].Outputs", "--stack-name", stack])
        .output()
        .expect("the AWS CLI can be run");
    let stderr = String::from_utf8_lossy(&described.stderr);
    assert!(described.status.success(), "aws cloudformation: {stderr}");
    let outputs: Vec<Value> = serde_json::from_slice(&described.stdout).unwrap();
    let text = |output: &Value, name: &str| output[name].as_str().unwrap().to_owned();
    outputs
        .iter()
        .map(|output| (text(output, "OutputKey"), text(output, "OutputValue")))
        .collect()
}

/// The only deployment, which one test uses at a time.
pub struct Turn {
    _alone: OwnedMutexGuard<()>,
}

impl Turn {
    /// Waits for earlier tests, and removes what they left. The first test must find nothing to remove,
    /// because otherwise the stack is in use.
    pub async fn begin(addresses: &Addresses, aws: &SdkConfig) -> Self {
        static ALONE: OnceCell<Arc<Mutex<()>>> = OnceCell::const_new();
        static CHECKED: OnceCell<()> = OnceCell::const_new();
        let alone = ALONE.get_or_init(async || Arc::default()).await.clone();
        let turn = Self {
            _alone: alone.lock_owned().await,
        };
        let leftovers = Leftovers::new(addresses, aws);
        CHECKED.get_or_init(|| leftovers.assert_none()).await;
        leftovers.remove().await;
        turn
    }
}

/// Returns the configuration of the target's AWS services.
pub async fn aws() -> SdkConfig {
    aws_config::load_defaults(BehaviorVersion::latest()).await
}

/// The rows and messages of a deployment.
struct Leftovers<'a> {
    dynamodb: aws_sdk_dynamodb::Client,
    table: &'a str,
    queues: Queues,
}

impl<'a> Leftovers<'a> {
    fn new(addresses: &'a Addresses, aws: &SdkConfig) -> Self {
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(aws),
            table: &addresses.table,
            queues: Queues::new(aws, addresses),
        }
    }

    /// Fails if there are rows. The suite deletes rows and messages, but never those of a stack that is
    /// in use.
    async fn assert_none(&self) {
        let rows = self.keys().await.len();
        assert_eq!(
            rows, 0,
            "the table {} is in use: this suite empties it, so give it a stack of its own",
            self.table
        );
    }

    async fn remove(&self) {
        for key in self.keys().await {
            let delete = self.dynamodb.delete_item().table_name(self.table);
            delete.set_key(Some(key)).send().await.unwrap();
        }
        self.queues.drain().await;
    }

    async fn keys(&self) -> Vec<HashMap<String, AttributeValue>> {
        let scan = self
            .dynamodb
            .scan()
            .table_name(self.table)
            .consistent_read(true);
        let pages = scan.into_paginator().items().send();
        let rows = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
        rows.iter().map(seed::key).collect()
    }
}
