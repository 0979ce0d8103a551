//! Where the suite runs, by `HERALD_TARGET`:
//!
//! - unset or `local`: every test starts a local stack of its own.
//! - `emulator`: all tests share the deployment that the environment describes, one variable for each
//!   output of the template: `HERALD_WEB_SOCKET_URI`, `HERALD_TABLE_NAME` and so on.
//! - `stack:NAME`: the same with the outputs of a CloudFormation stack, which the AWS CLI reads.
//!
//! For the last two, Region, credentials and endpoint come from where the AWS SDK looks for them. What
//! leads to CloudFormation is the CLI and no crate, because `cargo test` would compile its SDK, a
//! minute of work, for everybody who never runs this.

use std::{
    collections::{BTreeMap, HashMap},
    env,
    process::Command,
    sync::Arc,
};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell, OwnedMutexGuard};

use crate::queues::Queues;

/// What a test needs to find of a deployment.
#[derive(Clone, Debug)]
pub struct Addresses {
    pub web_socket: String,
    pub table: String,
    /// The bus to put events on, if it is not the default one.
    pub bus: Option<String>,
    /// URLs by logical id.
    pub queues: BTreeMap<String, String>,
}

/// The deployment that `HERALD_TARGET` names; nothing for a local stack.
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
                panic!("HERALD_TARGET is {target}: say local, emulator or stack:NAME")
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

/// `HERALD_TABLE_NAME` of `TableName`.
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
    let said = String::from_utf8_lossy(&described.stderr);
    assert!(described.status.success(), "aws cloudformation: {said}");
    let outputs: Vec<Value> = serde_json::from_slice(&described.stdout).unwrap();
    let text = |output: &Value, name: &str| output[name].as_str().unwrap().to_owned();
    outputs
        .iter()
        .map(|output| (text(output, "OutputKey"), text(output, "OutputValue")))
        .collect()
}

/// The one deployment, in the hands of one test at a time.
pub struct Turn {
    _alone: OwnedMutexGuard<()>,
}

impl Turn {
    /// Waits for the tests before, and removes what they left. The first of all finds nothing to
    /// remove, or this is somebody's stack.
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

/// What leads to this target's AWS services.
pub async fn aws() -> SdkConfig {
    aws_config::load_defaults(BehaviorVersion::latest()).await
}

/// Rows and messages of a deployment.
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

    /// The suite deletes rows and messages: never those of a stack that is in use.
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
            .consistent_read(true)
            .projection_expression("pk, sk");
        let pages = scan.into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.unwrap()
    }
}
