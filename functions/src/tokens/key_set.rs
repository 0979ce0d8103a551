//! An issuer's key set, and the choice of the keys that may verify a token.
//!
//! Every key verifies exactly one algorithm, which follows from the key and not from the token: a token
//! that names another algorithm has no key, whatever it is signed with. Source: RFC 8725, section 3.1.

use jsonwebtoken::{
    Algorithm, DecodingKey, Header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

/// The keys of a set that verify tokens.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// The reason a document is not a usable key set.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidKeySet {
    #[error("the key set is not a JSON Web Key Set")]
    Unreadable(#[source] serde_json::Error),
    #[error("the key set has no signing key for RS256, ES256 or EdDSA")]
    Empty,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a JSON Web Key Set (RFC 7517). Keys of other kinds and for other purposes are ignored.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidKeySet`] if the document is not a key set, or has no usable key.
    pub(super) fn from_json(json: &[u8]) -> Result<Self, InvalidKeySet> {
        let document: Document = serde_json::from_slice(json).map_err(InvalidKeySet::Unreadable)?;
        let keys: Vec<_> = document.keys.into_iter().filter_map(key).collect();
        if keys.is_empty() {
            return Err(InvalidKeySet::Empty);
        }
        Ok(Self { keys })
    }

    /// Returns the keys that may have signed a token with this header: those of its algorithm and its
    /// key id. If the key or the token has no id, the signature decides.
    pub(super) fn candidates(&self, header: &Header) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| {
            let same_id = match (&key.id, &header.kid) {
                (Some(key), Some(token)) => key == token,
                _ => true,
            };
            same_id && key.algorithm == header.alg
        })
    }
}

fn key(value: Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    Some(Key {
        algorithm: algorithm(&jwk)?,
        key: DecodingKey::from_jwk(&jwk).ok()?,
        id: jwk.common.key_id,
    })
}

/// Returns the algorithm of a key. `None` if it is not one of ours, or the key is not for verifying
/// signatures.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            Algorithm::ES256
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            Algorithm::EdDSA
        }
        _ => return None,
    };
    let named = jwk.common.key_algorithm;
    let purpose = jwk.common.public_key_use.as_ref();
    let operations = jwk.common.key_operations.as_ref();
    let fits = named.is_none_or(|named| named == KeyAlgorithm::from(algorithm))
        && purpose.is_none_or(|purpose| *purpose == PublicKeyUse::Signature)
        && operations.is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    fits.then_some(algorithm)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = r#"{"keys":[
        {"kty":"RSA","kid":"rsa","use":"sig","alg":"RS256","n":"AQAB","e":"AQAB"},
        {"kty":"EC","kid":"ec","crv":"P-256","x":"AQAB","y":"AQAB"},
        {"kty":"OKP","crv":"Ed25519","x":"AQAB"},
        {"kty":"RSA","kid":"encrypts","use":"enc","n":"AQAB","e":"AQAB"},
        {"kty":"RSA","kid":"signs-only","key_ops":["sign"],"n":"AQAB","e":"AQAB"},
        {"kty":"RSA","kid":"pss","alg":"PS256","n":"AQAB","e":"AQAB"},
        {"kty":"EC","kid":"p384","crv":"P-384","x":"AQAB","y":"AQAB"},
        {"kty":"EC","kid":"koblitz","crv":"secp256k1","x":"AQAB","y":"AQAB"},
        {"kty":"oct","kid":"secret","k":"AQAB"},
        {"kty":"future","kid":"new"},
        {"kid":"none"},
        7
    ]}"#;

    fn candidates(algorithm: Algorithm, id: Option<&str>) -> usize {
        let keys = KeySet::from_json(KEYS.as_bytes()).expect("a key set");
        let mut header = Header::new(algorithm);
        header.kid = id.map(str::to_owned);
        keys.candidates(&header).count()
    }

    #[test]
    fn key_verifies_only_tokens_of_its_id_and_algorithm() {
        for (algorithm, id, found) in [
            (Algorithm::RS256, Some("rsa"), 1),
            (Algorithm::RS256, None, 1),
            (Algorithm::ES256, Some("ec"), 1),
            (Algorithm::EdDSA, Some("anything"), 1),
            (Algorithm::EdDSA, None, 1),
            (Algorithm::ES256, Some("rsa"), 0),
            (Algorithm::HS256, Some("rsa"), 0),
            (Algorithm::HS256, Some("secret"), 0),
            (Algorithm::RS256, Some("encrypts"), 0),
            (Algorithm::RS256, Some("signs-only"), 0),
            (Algorithm::RS256, Some("pss"), 0),
            (Algorithm::PS256, Some("pss"), 0),
            (Algorithm::ES384, Some("p384"), 0),
            (Algorithm::ES256, Some("koblitz"), 0),
            (Algorithm::RS256, Some("unknown"), 0),
        ] {
            assert_eq!(candidates(algorithm, id), found, "{algorithm:?} {id:?}");
        }
    }

    #[test]
    fn unusable_key_set_is_an_error() {
        for json in ["", "<html>", "[]", "{}", r#"{"keys":7}"#] {
            let error = KeySet::from_json(json.as_bytes()).expect_err(json);
            assert!(matches!(error, InvalidKeySet::Unreadable(_)), "{json}");
        }
        for json in [r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AQAB"}]}"#] {
            let error = KeySet::from_json(json.as_bytes()).expect_err(json);
            assert!(matches!(error, InvalidKeySet::Empty), "{json}");
        }
    }
}
