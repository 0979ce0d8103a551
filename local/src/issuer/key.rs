//! The key that tokens are signed with, and that is published. It is another at every start.
//!
//! RS256, because that is what issuers in the world use: it is the one algorithm every OpenID provider
//! has to have. <https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata>

use anyhow::Context;
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash},
};

pub(super) struct PublishedKey {
    encoding_key: EncodingKey,
    id: String,
    set: JwkSet,
}

impl PublishedKey {
    /// A new key.
    pub(super) fn new() -> anyhow::Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048).context("no RSA key could be made")?;
        let der: Pkcs8V1Der<'_> = pair.as_der().context("the RSA key cannot be written")?;
        // `EncodingKey::from_rsa_der` takes the older form PKCS #1, which aws-lc-rs does not write.
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        let encoding_key = EncodingKey::from_rsa_pem(pem.as_bytes())?;
        let mut jwk = Jwk::from_encoding_key(&encoding_key, Algorithm::RS256)?;
        let id = jwk.thumbprint(ThumbprintHash::SHA256);
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

    /// The header of a token that is signed with it.
    pub(super) fn header(&self) -> Header {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.id.clone());
        header
    }

    /// The public half, as it is published.
    pub(super) fn set(&self) -> &JwkSet {
        &self.set
    }
}
