//! The notifier under the Lambda host of the local stack.

use std::{collections::BTreeMap, path::Path, time::Instant};

use anyhow::{Context, bail};
use herald_benches::{functions, process};
use herald_local::{
    lambda::{FunctionProcess, Host, HostSettings, Invocation, Invoke},
    template::{Settings, Stack},
};
use serde_json::{Value, json};

/// The notifier's logical id in the template.
pub(crate) const FUNCTION: &str = "NotifierFunction";

/// The approximate length of the session token that Lambda gives a function. It is part of every request
/// and is signed.
const SESSION_TOKEN_LENGTH: usize = 1000;

/// The notifier with at most one process.
pub(crate) struct Notifier {
    host: Host,
}

/// Returns the deployed template without logs. The gateway's URL is unused.
pub(crate) fn stack() -> anyhow::Result<Stack> {
    stack_with([])
}

/// Returns the same with these values of parameters.
pub(crate) fn stack_with<const N: usize>(parameters: [(&str, &str); N]) -> anyhow::Result<Stack> {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let defaults = [("Authentication", "open"), ("History", "{}")];
    let parameters = defaults.into_iter().chain(parameters);
    let settings = Settings {
        parameters: parameters
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        ..Settings::new("http://127.0.0.1")
    };
    Ok(Stack::read(&template, &settings)?)
}

impl Notifier {
    /// Returns the notifier, which starts with the first event, or when it is warmed up. The variables
    /// are added to those of the template.
    pub(crate) fn new<const N: usize>(
        stack: &Stack,
        binary: &Path,
        environment: [(&str, String); N],
    ) -> anyhow::Result<Self> {
        let process = FunctionProcess {
            function: functions::function(stack, FUNCTION)?.clone(),
            binary: binary.to_owned(),
        };
        let credentials = [
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_SESSION_TOKEN", "t".repeat(SESSION_TOKEN_LENGTH)),
            // Logging every event would distort the figures.
            ("AWS_LAMBDA_LOG_LEVEL", "ERROR".to_owned()),
        ];
        let environment: BTreeMap<_, _> = credentials
            .into_iter()
            .chain(environment)
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let settings = HostSettings {
            environment,
            maximum_environments: 1,
            ..HostSettings::default()
        };
        Ok(Self {
            host: Host::start(vec![process], settings)?,
        })
    }

    /// Starts the process. Returns the milliseconds until it asked for its first event.
    pub(crate) async fn start(&self) -> anyhow::Result<f64> {
        let started = Instant::now();
        self.host.warm_up().await?;
        Ok(milliseconds(started))
    }

    /// Delivers a batch of messages of the queue. Returns the milliseconds that it took.
    pub(crate) async fn deliver(&self, bodies: &[String]) -> anyhow::Result<f64> {
        let records = bodies.iter().enumerate().map(|(number, body)| {
            json!({"messageId": format!("m-{number}"), "body": body, "eventSource": "aws:sqs"})
        });
        let event = json!({"Records": records.collect::<Vec<_>>()});
        let started = Instant::now();
        let invocation = self.host.invoke(FUNCTION, event.to_string().into()).await;
        let took = milliseconds(started);
        let Invocation::Returned(answer) = invocation else {
            bail!("the notifier failed: {invocation:?}");
        };
        let answer: Value = serde_json::from_slice(&answer)?;
        anyhow::ensure!(
            answer["batchItemFailures"] == json!([]),
            "not delivered: {answer}"
        );
        Ok(took)
    }

    /// Returns the processor time of the process in seconds.
    pub(crate) fn processor_seconds(&self) -> anyhow::Result<f64> {
        Ok(process::processor_time(self.process()?)?.as_secs_f64())
    }

    /// Returns the peak resident memory of the process in bytes.
    pub(crate) fn peak_memory(&self) -> anyhow::Result<u64> {
        process::peak_memory(self.process()?)
    }

    /// Returns the resident memory of the process in bytes.
    pub(crate) fn resident_memory(&self) -> anyhow::Result<u64> {
        process::resident_memory(self.process()?)
    }

    /// Ends the process.
    pub(crate) async fn shutdown(self) {
        self.host.shutdown().await;
    }

    fn process(&self) -> anyhow::Result<u32> {
        let processes = self.host.process_ids(FUNCTION);
        processes.first().copied().context("the notifier has ended")
    }
}

/// Returns the body of an event to all subscribers of an entity, as EventBridge puts it on the queue.
pub(crate) fn entity_updated(entity: &str) -> String {
    numbered_update(entity, 0)
}

/// Returns the body of the event with this number, which is a part of its id.
pub(crate) fn numbered_update(entity: &str, number: usize) -> String {
    json!({
        "version": "0", "id": format!("7bf73129-1428-4cd3-a780-{number:012}"), "detail-type": "Entity Updated",
        "source": "com.example.orders", "account": "123456789012", "time": "2026-11-20T10:15:30Z",
        "region": "us-east-1", "resources": [],
        "detail": {
            "entityId": entity,
            "message": {"status": "shipped", "carrier": "Träger & Söhne", "parcels": [1, 2, 3]},
        },
    })
    .to_string()
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
