//! The secret with the API keys.
//!
//! Secrets Manager has no conditional write. But a version keeps its text: a second `PutSecretValue` with the same
//! `ClientRequestToken` and another text is refused. The token of a change is therefore derived from the version that
//! it was made from, and of two changes of the same version one fails, and is made again from the new version. This
//! protects from other runs of `herald`, but not from a change by another program between our read and our write.
//!
//! Source: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html>

use std::time::Duration;

use anyhow::{Context, anyhow};
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::{
    Client, error::ProvideErrorMetadata, operation::put_secret_value::PutSecretValueError,
};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::sleep;

use super::text::sha256;
use crate::failure::{Failure, aws_failure};

/// The attempts to make a change. Each failed one means that another change succeeded.
const ATTEMPTS: u32 = 100;

/// The refusals of writes that were made from the same version, after which their token is another one: an old
/// version has been made the current one again, and the version that was made from it exists already. A few are
/// needed, because a read may return an old version for a moment.
const REFUSALS: u32 = 5;

/// The delay before the same version is read again.
const DELAY: Duration = Duration::from_millis(200);

/// The keys by their ids. A key is a JSON value, so that a change of one keeps every field of the others.
pub(super) type Keys = Map<String, Value>;

/// A key as the secret has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredKey {
    /// The hash of its secret part.
    pub(super) sha256: String,
    /// Its permissions, as in a token.
    pub(super) may: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) comment: Option<String>,
    /// The time of its creation, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) created_at: Option<String>,
}

/// The secret with the keys.
pub(super) struct KeyStore {
    client: Client,
    arn: String,
}

/// The keys of one version of the secret.
struct Version {
    id: String,
    keys: Keys,
}

impl KeyStore {
    pub(super) fn new(config: &SdkConfig, arn: &str) -> Self {
        Self {
            client: Client::new(config),
            arn: arn.to_owned(),
        }
    }

    /// Returns the keys.
    pub(super) async fn keys(&self) -> Result<Keys, Failure> {
        Ok(self.read().await?.keys)
    }

    /// Changes the keys. `change` is called again if the keys were changed at the same time.
    pub(super) async fn change(
        &self,
        mut change: impl FnMut(&mut Keys) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut refused = (String::new(), 0);
        for _ in 0..ATTEMPTS {
            let Version { id, mut keys } = self.read().await?;
            if refused.0 == id {
                sleep(DELAY).await;
            } else {
                refused = (id.clone(), 0);
            }
            change(&mut keys)?;
            if self.write(&token(&id, refused.1), &keys).await? {
                return Ok(());
            }
            refused.1 += 1;
        }
        Err(Failure::unavailable(
            "the API keys are being changed all the time: try again later",
        ))
    }

    async fn read(&self) -> Result<Version, Failure> {
        let read = self.client.get_secret_value().secret_id(&self.arn);
        let value = read.send().await;
        let value = value.map_err(|error| aws_failure("cannot fetch the API keys", error))?;
        let text = value.secret_string().unwrap_or("{}");
        let keys = serde_json::from_str(text)
            .map_err(|_| anyhow!("the secret {} has no JSON object with API keys", self.arn))?;
        let id = value.version_id.context("the API keys have no version")?;
        Ok(Version { id, keys })
    }

    /// Writes the keys as the version `token`. Returns whether no other change has made it already.
    async fn write(&self, token: &str, keys: &Keys) -> Result<bool, Failure> {
        let put = self.client.put_secret_value().secret_id(&self.arn);
        let put = put
            .client_request_token(token)
            .secret_string(serde_json::to_string(keys)?)
            .send()
            .await;
        match put {
            Ok(_) => Ok(true),
            Err(error)
                if matches!(
                    error.as_service_error(),
                    Some(PutSecretValueError::ResourceExistsException(_))
                ) =>
            {
                Ok(false)
            }
            Err(error) => {
                let hint = match error.code() {
                    Some("AccessDeniedException") => {
                        "cannot change the API keys, which needs secretsmanager:GetSecretValue and \
                         secretsmanager:PutSecretValue"
                    }
                    _ => "cannot change the API keys",
                };
                Err(aws_failure(hint, error))
            }
        }
    }
}

/// Returns the id of the version that is made from the version `from`, of which so many writes were refused.
fn token(from: &str, refusals: u32) -> String {
    match refusals / REFUSALS {
        0 => sha256(from),
        round => sha256(&format!("{from}/{round}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_the_same_for_a_version_until_it_was_refused_often() {
        let tokens: Vec<_> = (0..=2 * REFUSALS).map(|count| token("v", count)).collect();
        let mut distinct = tokens.clone();
        distinct.dedup();
        assert_eq!(distinct.len(), 3);
        assert_eq!(tokens[0], tokens[4]);
        assert_ne!(tokens[4], tokens[5]);
        assert_ne!(token("w", 0), tokens[0]);
        // Secrets Manager accepts 32 to 64 characters.
        assert!(tokens.iter().all(|token| token.len() == 64));
    }
}
