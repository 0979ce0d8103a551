//! A function with one process under the Lambda host of the local stack.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use herald_local::{
    lambda::{FunctionProcess, Host, HostSettings, Invocation, Invoke},
    template::{Settings, Stack},
};

use crate::{functions, process};

/// A function with at most one process.
pub struct OneProcess {
    host: Host,
    logical_id: &'static str,
}

/// The services of AWS that a function calls.
pub struct Endpoint<'a> {
    /// The URL of all services.
    pub url: &'a str,
    /// The file of the authorities that the function trusts.
    pub authorities: &'a str,
}

/// Returns the deployed template with these parameters. The gateway's URL is unused.
///
/// # Errors
///
/// Returns an error if the template or a parameter is invalid.
pub fn stack<const N: usize>(parameters: [(&str, &str); N]) -> anyhow::Result<Stack> {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let settings = Settings {
        parameters: owned(parameters),
        ..Settings::new("http://127.0.0.1")
    };
    Ok(Stack::read(&template, &settings)?)
}

impl OneProcess {
    /// Returns the function of a stack with this binary, not yet started.
    ///
    /// # Errors
    ///
    /// Returns an error if the template has no such function, or the binary does not exist.
    pub fn new(
        stack: &Stack,
        logical_id: &'static str,
        binary: &Path,
        endpoint: &Endpoint<'_>,
    ) -> anyhow::Result<Self> {
        let process = FunctionProcess {
            function: functions::function(stack, logical_id)?.clone(),
            binary: binary.to_owned(),
        };
        let environment = [
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL", endpoint.url),
            ("SSL_CERT_FILE", endpoint.authorities),
            // Logging every event would distort the figures.
            ("AWS_LAMBDA_LOG_LEVEL", "ERROR"),
        ];
        let settings = HostSettings {
            environment: owned(environment),
            maximum_environments: 1,
            ..HostSettings::default()
        };
        let host = Host::start(vec![process], settings)?;
        Ok(Self { host, logical_id })
    }

    /// Starts the process.
    ///
    /// # Errors
    ///
    /// Returns an error if the process ends or does not ask for an event in time.
    pub async fn start(&self) -> anyhow::Result<()> {
        self.host.warm_up().await
    }

    /// Invokes the function with an event.
    pub async fn invoke(&self, event: &str) -> Invocation {
        let event = event.to_owned().into();
        self.host.invoke(self.logical_id, event).await
    }

    /// Returns the processor time of the process in seconds.
    ///
    /// # Errors
    ///
    /// Returns an error if the process has ended.
    pub fn processor_seconds(&self) -> anyhow::Result<f64> {
        Ok(process::processor_time(self.process()?)?.as_secs_f64())
    }

    /// Returns the resident memory of the process in bytes.
    ///
    /// # Errors
    ///
    /// Returns an error if the process has ended.
    pub fn resident_memory(&self) -> anyhow::Result<u64> {
        process::resident_memory(self.process()?)
    }

    /// Ends the process.
    pub async fn shutdown(self) {
        self.host.shutdown().await;
    }

    fn process(&self) -> anyhow::Result<u32> {
        let processes = self.host.process_ids(self.logical_id);
        processes.first().copied().context("the function has ended")
    }
}

fn owned<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}
