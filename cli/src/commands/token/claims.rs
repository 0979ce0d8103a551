//! What a token says, and the signature under it.

use anyhow::bail;
use herald_shared::permissions::Permissions;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use crate::target::MintedToken;

/// The fewest bytes of a secret: those of the hash.
///
/// Source: RFC 7518, section 3.2.
const LEAST: usize = 32;

/// The claims that Herald looks at.
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
    /// The token, signed with HS256. Errs if no stack would accept a secret as short as this.
    pub(super) fn sign(&self, secret: &[u8]) -> anyhow::Result<MintedToken> {
        if secret.len() < LEAST {
            bail!(
                "the secret is {} bytes, and no stack accepts less than {LEAST}: make a longer one",
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
    fn a_token_is_signed_with_a_secret_that_cannot_be_guessed() {
        let claims = Claims {
            sub: "alice".to_owned(),
            iat: 1000,
            exp: 1060,
            iss: None,
            aud: None,
            herald: None,
        };
        assert!(claims.sign(&[b'x'; LEAST - 1]).is_err());
        let secret = [b'x'; LEAST];
        let signed = claims.sign(&secret).expect("a token");
        assert_eq!(signed.expires_at, 1060);

        let mut validation = Validation::new(Algorithm::HS256);
        // It ended long ago.
        validation.validate_exp = false;
        let decoded = decode::<Value>(
            &signed.token,
            &DecodingKey::from_secret(&secret),
            &validation,
        );
        let expected = json!({"sub": "alice", "iat": 1000, "exp": 1060});
        assert_eq!(decoded.expect("a good signature").claims, expected);
    }
}
