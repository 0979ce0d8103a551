//! The secret that tokens are signed with in the mode `secret`, kept in Secrets Manager.

use aws_sdk_secretsmanager::Client;
use jsonwebtoken::DecodingKey;

use crate::cached::{Failure, Fetch};

/// The minimum length of a secret in bytes: that of the hash.
///
/// Source: RFC 7518, section 3.2.
const MIN_BYTES: usize = 32;

/// The place of the secret.
#[derive(Debug)]
pub(super) struct SecretStore {
    client: Client,
    arn: String,
}

/// The reason a secret is unusable.
#[derive(Debug, thiserror::Error)]
enum UnusableSecret {
    #[error("the secret has no value")]
    Empty,
    #[error("the secret is {0} bytes long and could be guessed: use at least {MIN_BYTES} bytes")]
    TooShort(usize),
}

impl SecretStore {
    pub(super) fn new(client: Client, arn: String) -> Self {
        Self { client, arn }
    }
}

impl Fetch for SecretStore {
    type Value = DecodingKey;

    const NAME: &str = "the token secret";

    async fn fetch(&self) -> Result<DecodingKey, Failure> {
        let value = self.client.get_secret_value().secret_id(&self.arn);
        let value = value.send().await?;
        let secret = value
            .secret_string
            .map(String::into_bytes)
            .or(value.secret_binary.map(Into::into));
        Ok(key(&secret.ok_or(UnusableSecret::Empty)?)?)
    }
}

fn key(secret: &[u8]) -> Result<DecodingKey, UnusableSecret> {
    if secret.len() < MIN_BYTES {
        return Err(UnusableSecret::TooShort(secret.len()));
    }
    Ok(DecodingKey::from_secret(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_secret_is_refused() {
        assert!(key(&[b'x'; MIN_BYTES]).is_ok());
        assert!(key(&[b'x'; MIN_BYTES - 1]).is_err());
        assert!(key(b"").is_err());
    }
}
