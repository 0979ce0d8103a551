//! Keys that sign tokens. The tokens are assembled by hand, because a library would not make the invalid
//! ones.

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding,
        RsaKeyPair,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A key pair for RS256.
pub struct Rsa(RsaKeyPair);

impl Rsa {
    pub fn new() -> Self {
        Self(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.sign_as(&RSA_PKCS1_SHA256, message)
    }

    /// Signs like RS512.
    pub fn sign_as_rs512(&self, message: &[u8]) -> Vec<u8> {
        self.sign_as(&RSA_PKCS1_SHA512, message)
    }

    /// Signs like PS256.
    pub fn sign_as_ps256(&self, message: &[u8]) -> Vec<u8> {
        self.sign_as(&RSA_PSS_SHA256, message)
    }

    /// Returns the public key as an issuer publishes it.
    pub fn jwk(&self, id: &str) -> Value {
        json!({"kty": "RSA", "kid": id, "use": "sig", "alg": "RS256", "n": self.modulus(), "e": "AQAB"})
    }

    pub fn modulus(&self) -> String {
        let modulus = self.0.public_key().modulus();
        encode(modulus.big_endian_without_leading_zero())
    }

    /// Returns the public key in X.509.
    pub fn public_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().unwrap();
        der.as_ref().to_vec()
    }

    fn sign_as(&self, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(encoding, &SystemRandom::new(), message, &mut signature)
            .unwrap();
        signature
    }
}

/// A key pair for ES256.
pub struct Ec {
    fixed: EcdsaKeyPair,
    asn1: EcdsaKeyPair,
}

impl Ec {
    pub fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pkcs8 = pkcs8.as_ref();
        Self {
            fixed: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).unwrap(),
            asn1: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8).unwrap(),
        }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.fixed.sign(&SystemRandom::new(), message).unwrap();
        signature.as_ref().to_vec()
    }

    /// Signs in the encoding of TLS, which tokens do not use.
    pub fn sign_as_asn1(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.asn1.sign(&SystemRandom::new(), message).unwrap();
        signature.as_ref().to_vec()
    }

    pub fn jwk(&self, id: &str) -> Value {
        // The byte 4, then both coordinates.
        let (x, y) = self.fixed.public_key().as_ref()[1..].split_at(32);
        json!({"kty": "EC", "kid": id, "use": "sig", "crv": "P-256", "x": encode(x), "y": encode(y)})
    }
}

/// A key pair for EdDSA.
pub struct Ed(Ed25519KeyPair);

impl Ed {
    pub fn new() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }

    pub fn jwk(&self, id: &str) -> Value {
        let x = encode(self.0.public_key());
        json!({"kty": "OKP", "kid": id, "use": "sig", "crv": "Ed25519", "x": x})
    }
}

/// Signs like HS256.
pub fn hmac_with(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::sign(&key, message).as_ref().to_vec()
}

/// Returns a token of these parts, signed by `sign`.
pub fn token(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    token_of_text(&header.to_string(), &claims.to_string(), sign)
}

/// Returns a token of texts that need not be JSON.
pub fn token_of_text(header: &str, claims: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", encode(signature))
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
