//! The check of a token. No other module accepts one.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use jsonwebtoken::{Algorithm, DecodingKey, Header};

use super::{
    Identity, InvalidToken, Rejection, Settings, Token,
    claims::{Claims, Expected},
    issuer::Issuer,
    key_set::KeySet,
    secret::SecretStore,
    settings::Mode,
    signature::{header, verified},
};
use crate::cached::{Cached, Failure};

/// The keys or the secret of a stack, and the expected claims.
#[derive(Debug)]
pub struct Verifier {
    signers: Signers,
    expected: Expected,
}

/// The source of keys.
#[derive(Debug)]
enum Signers {
    Issuer(Box<Cached<Issuer>>),
    Secret(Cached<SecretStore>),
    None,
}

impl Verifier {
    /// Returns a verifier that has fetched nothing yet.
    ///
    /// # Errors
    ///
    /// Returns an error if this machine trusts no certificate authority.
    pub fn new(
        settings: Settings,
        secrets: impl FnOnce() -> aws_sdk_secretsmanager::Client,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let signers = match settings.mode {
            Mode::Jwks(issuer) => Signers::Issuer(Box::new(Cached::new(Issuer::new(&issuer)?))),
            Mode::Secret(arn) => Signers::Secret(Cached::new(SecretStore::new(secrets(), arn))),
            Mode::Open => Signers::None,
        };
        Ok(Self {
            signers,
            expected: settings.expected,
        })
    }

    /// Returns the identity of every client if connections have no tokens. `None` if clients need a
    /// token.
    pub fn anonymous(&self) -> Option<Identity> {
        matches!(self.signers, Signers::None).then(|| Identity {
            user: None,
            expires_at: None,
            permissions: self.expected.default_permissions.clone(),
            info: None,
        })
    }

    /// Returns the identity that the token proves.
    ///
    /// # Errors
    ///
    /// Returns [`Rejection`] if the token is not accepted, or cannot be checked at the moment.
    pub async fn verify(&self, token: Token<'_>, now: SystemTime) -> Result<Identity, Rejection> {
        let header = header(token)?;
        let claims = match &self.signers {
            Signers::Issuer(keys) => signed_by_issuer(token, &header, keys).await?,
            Signers::Secret(secret) => signed_with_secret(token, secret).await?,
            Signers::None => return Err(InvalidToken::UnknownKey(header.kid).into()),
        };
        claims.check(&self.expected, now)
    }
}

async fn signed_by_issuer(
    token: Token<'_>,
    header: &Header,
    issuer: &Cached<Issuer>,
) -> Result<Claims, Rejection> {
    let now = Instant::now();
    let mut keys = issuer.value(now).await.map_err(unavailable)?;
    if keys.candidates(header).next().is_none() && ISSUERS_ALGORITHMS.contains(&header.alg) {
        // The issuer may have made a new key. A caller that waited for another caller's fetch gets that
        // key as well.
        keys = newer(issuer, keys, now).await?;
    }
    Ok(check_signature(token, header, &keys)?)
}

/// The algorithms of issuers. A token of another algorithm is no reason to fetch new keys.
const ISSUERS_ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

async fn newer(
    issuer: &Cached<Issuer>,
    keys: Arc<KeySet>,
    now: Instant,
) -> Result<Arc<KeySet>, Rejection> {
    let newer = issuer.newer_than(&keys, now).await.map_err(unavailable)?;
    Ok(newer.unwrap_or(keys))
}

fn check_signature(
    token: Token<'_>,
    header: &Header,
    keys: &KeySet,
) -> Result<Claims, InvalidToken> {
    let mut refused = InvalidToken::UnknownKey(header.kid.clone());
    for key in keys.candidates(header) {
        match verified(token, key.algorithm, &key.key) {
            Err(InvalidToken::Signature(_)) => {
                refused = InvalidToken::Signature(header.kid.clone());
            }
            verified => return verified,
        }
    }
    Err(refused)
}

async fn signed_with_secret(
    token: Token<'_>,
    secret: &Cached<SecretStore>,
) -> Result<Claims, Rejection> {
    let now = Instant::now();
    let key = secret.value(now).await.map_err(unavailable)?;
    match verified(token, Algorithm::HS256, &key) {
        Err(wrong @ InvalidToken::Signature(_)) => {
            // The secret may have been rotated since it was fetched.
            let newer = secret.newer_than(&key, now).await.map_err(unavailable)?;
            let key: Arc<DecodingKey> = newer.ok_or(wrong)?;
            Ok(verified(token, Algorithm::HS256, &key)?)
        }
        verified => Ok(verified?),
    }
}

fn unavailable(failure: Failure) -> Rejection {
    Rejection::Unavailable(failure)
}
