//! The tokens that are checked, and their signers.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
        RsaKeyPair,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// The audience of the tokens.
pub(crate) const AUDIENCE: &str = "4h7jk2l3m9n8b5v6c1x0z";

/// The shared secret.
pub(crate) const SECRET: &str = "correct horse battery staple, and a bit more";

/// The signer of tokens.
pub(crate) enum Signer {
    /// There are no tokens.
    None,
    Secret,
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    /// Returns a signer for each way to check a token.
    pub(crate) fn all() -> [Self; 5] {
        let made = "a key can be made";
        [
            Self::None,
            Self::Secret,
            Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).expect(made)),
            Self::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect(made)),
            Self::Ed(Ed25519KeyPair::generate().expect(made)),
        ]
    }

    /// Returns the name of the row.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::None => "none (open)",
            Self::Secret => "HS256 (secret)",
            Self::Rsa(_) => "RS256 (jwks)",
            Self::Ec(_) => "ES256 (jwks)",
            Self::Ed(_) => "EdDSA (jwks)",
        }
    }

    /// Returns the template's parameter `Authentication`.
    pub(crate) fn authentication(&self) -> &'static str {
        match self {
            Self::None => "open",
            Self::Secret => "secret",
            Self::Rsa(_) | Self::Ec(_) | Self::Ed(_) => "jwks",
        }
    }

    /// Returns the key set that verifies its tokens.
    pub(crate) fn key_set(&self) -> Value {
        let mut key = match self {
            Self::None | Self::Secret => return json!({"keys": []}),
            Self::Rsa(pair) => {
                let modulus = pair.public_key().modulus();
                let modulus = encode(modulus.big_endian_without_leading_zero());
                json!({"kty": "RSA", "alg": "RS256", "n": modulus, "e": "AQAB"})
            }
            Self::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)})
            }
            Self::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key())})
            }
        };
        key["kid"] = json!("key-1");
        key["use"] = json!("sig");
        json!({"keys": [key]})
    }

    /// Returns the gateway's request about a client with a token of this issuer.
    pub(crate) fn event(&self, issuer: &str) -> String {
        json!({
            "type": "REQUEST",
            "methodArn": "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/dev/$connect",
            "multiValueHeaders": {
                "Authorization": [format!("Bearer {}", self.token(issuer))],
                "Host": ["a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"],
                "Origin": ["https://app.example.com"],
                "Sec-WebSocket-Key": ["dGhlIHNhbXBsZSBub25jZQ=="],
                "Sec-WebSocket-Version": ["13"],
                "User-Agent": ["push-client/1.0"],
            },
            "stageVariables": {},
        })
        .to_string()
    }

    /// Returns a token with about the claims of Cognito's.
    fn token(&self, issuer: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        let claims = json!({
            "iss": issuer, "aud": AUDIENCE, "sub": "7d8ca528-4931-4254-9273-ea5ee853f271",
            "token_use": "id", "auth_time": now, "iat": now, "exp": now + 3600,
            "jti": "3a1c1c53-7f0c-4a0b-8a4b-2f7f3bb9a7c1", "cognito:groups": ["drivers"],
            "email": "alice@example.com", "email_verified": true,
            "herald": {"order:*": ["subscribe"], "room:**": ["subscribe", "publish"]},
        });
        let header = json!({"alg": self.algorithm(), "typ": "JWT", "kid": "key-1"});
        let message = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let signature = encode(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Secret => "HS256",
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
            Self::Ed(_) => "EdDSA",
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signed = "a key signs";
        let random = SystemRandom::new();
        match self {
            Self::None => Vec::new(),
            Self::Secret => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
                hmac::sign(&key, message).as_ref().to_vec()
            }
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect(signed);
                signature
            }
            Self::Ec(pair) => pair.sign(&random, message).expect(signed).as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
