//! The authorizer under the Lambda host of the local stack.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, bail};
use herald_benches::{functions, process};
use herald_local::{
    lambda::{FunctionProcess, Host, HostSettings, Invocation, Invoke},
    template::{Settings, Stack},
};

use crate::{
    issuer::Issuer,
    tokens::{AUDIENCE, Signer},
};

/// The function's logical id in the template.
pub(crate) const FUNCTION: &str = "AuthorizerFunction";

/// The authorizer with at most one process.
pub(crate) struct Authorizer {
    host: Host,
}

/// Returns the deployed template with these parameters. The gateway's URL is unused.
pub(crate) fn stack<const N: usize>(parameters: [(&str, &str); N]) -> anyhow::Result<Stack> {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let settings = Settings {
        parameters: owned(parameters),
        ..Settings::new("http://127.0.0.1")
    };
    Ok(Stack::read(&template, &settings)?)
}

impl Authorizer {
    /// Returns the authorizer, with the template's parameters for this signer, not yet started.
    pub(crate) fn new(signer: &Signer, issuer: &Issuer, binary: &Path) -> anyhow::Result<Self> {
        let stack = stack([
            ("Authentication", signer.authentication()),
            ("TokenIssuer", &issuer.name),
            ("TokenAudience", AUDIENCE),
        ])?;
        let process = FunctionProcess {
            function: functions::function(&stack, FUNCTION)?.clone(),
            binary: binary.to_owned(),
        };
        let authorities = issuer.identity.authorities();
        let environment = [
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL", &issuer.name),
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

    /// Checks one client, which must be admitted.
    pub(crate) async fn check(&self, event: &str) -> anyhow::Result<()> {
        let event = event.to_owned().into();
        match self.host.invoke(FUNCTION, event).await {
            Invocation::Returned(answer) if answer.windows(7).any(|text| text == b"\"Allow\"") => {
                Ok(())
            }
            other => bail!("the client was not admitted: {other:?}"),
        }
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
        processes
            .first()
            .copied()
            .context("the authorizer has ended")
    }
}

fn owned<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}
