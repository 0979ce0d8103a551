//! The claims of a token, and their signature.

use anyhow::bail;
use herald_shared::permissions::Permissions;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use crate::target::MintedToken;

/// The minimum length of a secret in bytes: that of the hash.
///
/// Source: RFC 7518, section 3.2.
const MIN_SECRET: usize = 32;

/// The claims that Herald reads.
#[derive(Debug, Serialize)]
pub(super) struct Claims {
    pub(super) sub: String,
    pub(super) iat: u64,
    pub(super) exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) aud: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) herald: Option<Permissions>,
}

impl Claims {
    /// Signs the token with HS256. Fails if the secret is too short for a stack to accept.
    pub(super) fn sign(&self, secret: &[u8]) -> anyhow::Result<MintedToken> {
        if secret.len() < MIN_SECRET {
            bail!(
                "the secret must have at least {MIN_SECRET} bytes, got {}",
                secret.len()
            );
        }
        let header = Header::new(Algorithm::HS256);
        Ok(MintedToken {
            token: encode(&header, self, &EncodingKey::from_secret(secret))?,
            expires_at: self.exp,
        })
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation, decode};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn token_is_signed_unless_the_secret_is_short() {
        let claims = Claims {
            sub: "alice".to_owned(),
            iat: 1000,
            exp: 1060,
            iss: None,
            aud: None,
            herald: None,
        };
        assert!(claims.sign(&[b'x'; MIN_SECRET - 1]).is_err());
        let secret = [b'x'; MIN_SECRET];
        let signed = claims.sign(&secret).expect("a token");
        assert_eq!(signed.expires_at, 1060);

        let mut validation = Validation::new(Algorithm::HS256);
        // The token expired long ago.
        validation.validate_exp = false;
        let decoded = decode::<Value>(
            &signed.token,
            &DecodingKey::from_secret(&secret),
            &validation,
        );
        let expected = json!({"sub": "alice", "iat": 1000, "exp": 1060});
        assert_eq!(decoded.expect("a valid signature").claims, expected);
    }
}
