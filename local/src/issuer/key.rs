//! The key that signs tokens, with its published half. Each start creates a new one.
//!
//! It is for ES256: such a key is created at once, while one for RS256 takes a noticeable part of a
//! second, and every verifier supports both.

use anyhow::anyhow;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash},
};

pub(super) const ALGORITHM: Algorithm = Algorithm::ES256;

/// A key pair for tokens.
pub(super) struct PublishedKey {
    encoding_key: EncodingKey,
    id: String,
    set: JwkSet,
}

impl PublishedKey {
    /// Creates a key.
    pub(super) fn new() -> anyhow::Result<Self> {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let pkcs8 = pkcs8.map_err(|_| anyhow!("cannot create a key for tokens"))?;
        let encoding_key = EncodingKey::from_ec_der(pkcs8.as_ref());
        let mut jwk = Jwk::from_encoding_key(&encoding_key, ALGORITHM)?;
        let id = jwk.thumbprint(ThumbprintHash::SHA256)?;
        jwk.common.key_id = Some(id.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self {
            encoding_key,
            id,
            set: JwkSet { keys: vec![jwk] },
        })
    }

    pub(super) fn encoding_key(&self) -> &EncodingKey {
        &self.encoding_key
    }

    /// Returns the header of a token that this key signs.
    pub(super) fn header(&self) -> Header {
        let mut header = Header::new(ALGORITHM);
        header.kid = Some(self.id.clone());
        header
    }

    /// Returns the published half.
    pub(super) fn set(&self) -> &JwkSet {
        &self.set
    }
}
