//! The authorizer under the Lambda host of the local stack.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, bail};
use herald_local::{
    lambda::{FunctionProcess, Host, HostSettings, Invocation, Invoke},
    template::{Settings, Stack},
};

use crate::{
    issuer::Issuer,
    process,
    tokens::{AUDIENCE, Signer},
};

/// The function's logical id in the template.
const FUNCTION: &str = "AuthorizerFunction";

/// The authorizer with at most one process.
pub(crate) struct Authorizer {
    host: Host,
}

impl Authorizer {
    /// Returns the authorizer, with the template's parameters for this signer, not yet started.
    pub(crate) fn new(signer: &Signer, issuer: &Issuer) -> anyhow::Result<Self> {
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
        let parameters = [
            ("Authentication", signer.authentication()),
            ("TokenIssuer", &issuer.name),
            ("TokenAudience", AUDIENCE),
        ];
        let settings = Settings {
            parameters: owned(parameters),
            ..Settings::new("http://127.0.0.1")
        };
        let stack = Stack::read(&template, &settings)?;
        let mut functions = stack.functions.into_iter();
        let function = functions.find(|function| function.logical_id == FUNCTION);
        let process = FunctionProcess {
            function: function.with_context(|| format!("the template has no {FUNCTION}"))?,
            binary: env!("CARGO_BIN_EXE_authorizer").into(),
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
