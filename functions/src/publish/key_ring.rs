//! The API keys of the stack, fetched from Secrets Manager and kept for a minute.

use std::time::{Duration, Instant};

use aws_sdk_secretsmanager::Client;
use herald_shared::{
    error_chain::error_chain,
    permissions::Permissions,
    protocol::{ErrorCode, Refusal},
};

use super::keys::{ApiKeys, PresentedKey};
use crate::{
    cached::{Cached, Failure, Fetch},
    http::{HttpRefusal, HttpRequest},
};

/// The check of keys.
#[derive(Debug)]
pub struct KeyRing {
    keys: Cached<KeyStore>,
}

/// The place of the keys.
#[derive(Debug)]
struct KeyStore {
    client: Client,
    arn: String,
}

/// The secret has no text.
#[derive(Debug, thiserror::Error)]
#[error("the secret of PublishKeys has no text")]
struct NoText;

impl Fetch for KeyStore {
    type Value = ApiKeys;

    const NAME: &str = "the API keys";

    /// A revoked key is accepted so long.
    const MAX_AGE: Duration = Duration::from_secs(60);

    /// A revoked key is accepted so long if Secrets Manager does not answer.
    const USABLE: Duration = Duration::from_secs(15 * 60);

    async fn fetch(&self) -> Result<ApiKeys, Failure> {
        let value = self.client.get_secret_value().secret_id(&self.arn);
        let text = value.send().await?.secret_string.ok_or(NoText)?;
        Ok(ApiKeys::from_json(&text)?)
    }
}

impl KeyRing {
    /// Returns the keys in the secret `arn`. Nothing is fetched yet.
    pub fn new(client: Client, arn: String) -> Self {
        Self {
            keys: Cached::new(KeyStore { client, arn }),
        }
    }

    /// Returns the permissions of the request's key.
    ///
    /// # Errors
    ///
    /// Returns a refusal with 401 if the request has no key that is accepted, and with 500 if keys cannot be
    /// checked at the moment.
    pub(super) async fn identify(&self, request: &HttpRequest) -> Result<Permissions, HttpRefusal> {
        let presented = request.bearer().ok().and_then(PresentedKey::read);
        let Some(presented) = presented else {
            tracing::info!("refused a request without a key");
            return Err(unknown());
        };
        let permissions = self.permissions(presented, Instant::now()).await;
        permissions.map_err(unavailable)?.ok_or_else(|| {
            let id = presented.id;
            tracing::info!(key = id, "refused an API key that is unknown or wrong");
            unknown()
        })
    }

    /// Returns the permissions of a key. `None` if it is not accepted.
    async fn permissions(
        &self,
        presented: PresentedKey<'_>,
        now: Instant,
    ) -> Result<Option<Permissions>, Failure> {
        let keys = self.keys.value(now).await?;
        if let Some(permissions) = keys.permissions(presented) {
            return Ok(Some(permissions.clone()));
        }
        // The key may have been created since they were fetched.
        let newer = self.keys.newer_than(&keys, now).await?;
        Ok(newer.and_then(|keys| keys.permissions(presented).cloned()))
    }
}

/// The refusal is the same for every caller without an accepted key.
fn unknown() -> HttpRefusal {
    HttpRefusal::unauthorized(
        "the request has no API key of this stack: send the header Authorization: Bearer hk_…",
    )
}

/// The line is the one that `observability.yaml` counts.
fn unavailable(failure: Failure) -> HttpRefusal {
    let reason = error_chain(&*failure);
    tracing::error!(reason, "a request failed");
    Refusal::new(
        ErrorCode::Internal,
        "Herald cannot check keys at the moment: send the request again in a moment",
    )
    .into()
}
