//! The secret that tokens are signed with in the mode `secret`, kept in Secrets Manager.

use aws_sdk_secretsmanager::Client;
use jsonwebtoken::DecodingKey;

use super::cached::{Failure, Fetch};

/// The fewest bytes of a secret: those of the hash.
///
/// Source: RFC 7518, section 3.2.
const LEAST: usize = 32;

/// Where the secret is.
#[derive(Debug)]
pub(super) struct SecretStore {
    client: Client,
    arn: String,
}

/// A secret that is of no use.
#[derive(Debug, thiserror::Error)]
enum UnusableSecret {
    #[error("the secret has no value")]
    Empty,
    #[error("the secret is {0} bytes, which can be guessed: make one of at least {LEAST}")]
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
    if secret.len() < LEAST {
        return Err(UnusableSecret::TooShort(secret.len()));
    }
    Ok(DecodingKey::from_secret(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_can_be_guessed_is_refused() {
        assert!(key(&[b'x'; LEAST]).is_ok());
        assert!(key(&[b'x'; LEAST - 1]).is_err());
        assert!(key(b"").is_err());
    }
}
