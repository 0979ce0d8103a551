//! The function `publish` under the Lambda host of the local stack.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, bail};
use herald_benches::{functions, process};
use herald_local::{
    lambda::{FunctionProcess, Host, HostSettings, Invocation, Invoke},
    template::{Settings, Stack},
};
use serde_json::{Value, json};

use crate::services::{KEY, Services};

/// The function's logical id in the template.
pub(crate) const FUNCTION: &str = "PublishFunction";

/// The function with at most one process.
pub(crate) struct Publish {
    host: Host,
}

/// Returns the deployed template, with a log for one entity.
pub(crate) fn stack() -> anyhow::Result<Stack> {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let parameters = [
        ("Authentication", "open"),
        ("PublishKeys", "create"),
        ("History", r#"{"logged":{"messages":100,"seconds":600}}"#),
    ];
    let settings = Settings {
        parameters: owned(parameters),
        ..Settings::new("http://127.0.0.1")
    };
    Ok(Stack::read(&template, &settings)?)
}

impl Publish {
    /// Returns the function, not yet started.
    pub(crate) fn new(stack: &Stack, services: &Services, binary: &Path) -> anyhow::Result<Self> {
        let process = FunctionProcess {
            function: functions::function(stack, FUNCTION)?.clone(),
            binary: binary.to_owned(),
        };
        let authorities = services.identity.authorities();
        let environment = [
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL", &services.endpoint),
            ("SSL_CERT_FILE", &authorities),
            // Logging every event would distort the figures.
            ("AWS_LAMBDA_LOG_LEVEL", "ERROR"),
        ];
        let settings = HostSettings {
            environment: owned(environment),
            maximum_environments: 1,
            ..HostSettings::default()
        };
        Ok(Self {
            host: Host::start(vec![process], settings)?,
        })
    }

    /// Starts the process.
    pub(crate) async fn start(&self) -> anyhow::Result<()> {
        self.host.warm_up().await
    }

    /// Answers one request, all of whose messages must be published.
    pub(crate) async fn request(&self, event: &str) -> anyhow::Result<()> {
        let invocation = self.host.invoke(FUNCTION, event.to_owned().into()).await;
        let Invocation::Returned(answer) = invocation else {
            bail!("the function failed: {invocation:?}");
        };
        let answer: Value = serde_json::from_slice(&answer)?;
        let body = answer["body"].as_str().unwrap_or_default();
        anyhow::ensure!(
            answer["statusCode"] == 200 && !body.contains("error"),
            "not published: {answer}"
        );
        Ok(())
    }

    /// Returns the processor time of the process in seconds.
    pub(crate) fn processor_seconds(&self) -> anyhow::Result<f64> {
        Ok(process::processor_time(self.process()?)?.as_secs_f64())
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
        processes.first().copied().context("the function has ended")
    }
}

/// Returns the event of a request with this many messages to an entity.
pub(crate) fn request(entity: &str, messages: u32) -> String {
    let message = json!({
        "entityId": entity,
        "message": {"status": "shipped", "carrier": "Träger & Söhne", "parcels": [1, 2, 3]},
    });
    let messages = vec![message; messages as usize];
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "",
        "headers": {
            "authorization": format!("Bearer {KEY}"), "content-type": "application/json",
            "host": "abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws",
        },
        "requestContext": {
            "http": {"method": "POST", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.10"},
            "requestId": "e1506fd5-9e7b-434f-bd42-4f8fa224b599", "timeEpoch": 1_795_860_930_123_u64,
        },
        "body": json!({"messages": messages}).to_string(), "isBase64Encoded": false,
    })
    .to_string()
}

fn owned<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}
