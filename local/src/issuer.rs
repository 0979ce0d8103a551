//! The issuer of test tokens, so that a stack can be tried the way it is deployed: with clients that
//! have to prove who they are.
//!
//! It has no users and asks nobody for a password: a caller that the guard of the port lets in is given a token for
//! any user. What a token may say, and what it opens, is for the authorizer to decide; this mints what
//! it is asked for, expired tokens and strange permissions included.

mod http;
mod key;

use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use http::handles;

use crate::{
    authentication::{AUTHENTICATION, Authentication, TOKEN_AUDIENCE, TOKEN_ISSUER},
    secrets::Secrets,
    template::Stack,
};
use key::PublishedKey;

/// The output of the template that names the secret tokens are signed with.
const TOKEN_SECRET_ARN: &str = "TokenSecretArn";

/// How long a token lives that is not asked to live longer or shorter, in seconds.
const AN_HOUR: i64 = 3600;

/// The issuer of a running stack.
pub struct Issuer {
    /// Its address, which is the `iss` of its tokens.
    address: String,
    authentication: Authentication,
    audience: Option<String>,
    signing: Signing,
}

/// What tokens are signed with.
enum Signing {
    /// The stack takes no tokens.
    Nothing,
    Secret {
        arn: String,
        secrets: Arc<Secrets>,
    },
    Key(PublishedKey),
    /// The stack takes tokens of this issuer, and none of ours.
    Elsewhere(String),
}

/// What a token is to say.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenRequest {
    /// Whose it is.
    pub user_id: String,
    /// The claim `herald`; none: the token goes without.
    pub permissions: Option<Value>,
    /// In how many seconds it expires, an hour if it does not say; it has expired already if that is
    /// negative.
    pub expires_in: Option<i64>,
    /// The epoch second before which it does not hold.
    pub not_before: Option<i64>,
    /// The claim `aud`; none: one that the stack accepts.
    pub audience: Option<String>,
}

/// A token, and when it ends.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// The JSON Web Token.
    pub token: String,
    /// The epoch second at which it expires.
    pub expires_at: i64,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    herald: Option<&'a Value>,
}

impl Issuer {
    /// The address of the issuer behind an endpoint.
    pub(crate) fn address(endpoint: &str) -> String {
        format!("{endpoint}{}", http::ROOT)
    }

    /// The issuer for a stack that was asked for this authentication; the stack's parameters have the
    /// last word.
    ///
    /// Errs when they make no sense, or the secret that tokens are to be signed with is not known.
    pub(crate) fn new(
        address: String,
        asked_for: Authentication,
        stack: &Stack,
        secrets: Arc<Secrets>,
    ) -> anyhow::Result<Self> {
        let authentication = chosen(asked_for, stack)?;
        let audience = stack.parameters.get(TOKEN_AUDIENCE);
        let audience = audience.and_then(|list| list.split(',').map(str::trim).next());
        let signing = match authentication {
            Authentication::Open => Signing::Nothing,
            Authentication::Secret => Signing::Secret {
                arn: token_secret(stack, &secrets)?,
                secrets,
            },
            Authentication::Jwks => match stack.parameters.get(TOKEN_ISSUER) {
                Some(issuer) if *issuer != address => Signing::Elsewhere(issuer.clone()),
                _ => Signing::Key(PublishedKey::new()?),
            },
        };
        Ok(Self {
            audience: audience.filter(|name| !name.is_empty()).map(str::to_owned),
            address,
            authentication,
            signing,
        })
    }

    /// How clients of the stack prove who they are.
    pub fn authentication(&self) -> Authentication {
        self.authentication
    }

    /// Where tokens are minted; none if the stack takes none of ours.
    pub fn token_address(&self) -> Option<String> {
        match self.signing {
            Signing::Secret { .. } | Signing::Key(_) => Some(http::token_address(&self.address)),
            Signing::Nothing | Signing::Elsewhere(_) => None,
        }
    }

    /// A token that says what is asked for, issued at `now`.
    ///
    /// Errs, in one sentence, if the stack takes no tokens of ours or the request makes no sense.
    pub fn mint(&self, request: &TokenRequest, now: DateTime<Utc>) -> anyhow::Result<Token> {
        let (header, key) = self.signing_key()?;
        let issued_at = now.timestamp();
        let expires_at = issued_at.checked_add(request.expires_in.unwrap_or(AN_HOUR));
        let expires_at = expires_at.context("expiresIn is no number of seconds that time has")?;
        if request.user_id.is_empty() {
            bail!("userId is empty: say whose the token is to be");
        }
        let claims = Claims {
            iss: &self.address,
            sub: &request.user_id,
            aud: request.audience.as_deref().or(self.audience.as_deref()),
            iat: issued_at,
            nbf: request.not_before,
            exp: expires_at,
            herald: request.permissions.as_ref(),
        };
        Ok(Token {
            token: encode(&header, &claims, &key)?,
            expires_at,
        })
    }

    fn signing_key(&self) -> anyhow::Result<(Header, EncodingKey)> {
        match &self.signing {
            Signing::Nothing => bail!(
                "this stack takes no tokens: start herald-local with --auth jwks or --auth secret"
            ),
            Signing::Elsewhere(issuer) => bail!(
                "this stack takes tokens of {issuer}: ask there, or leave the parameter \
                 {TOKEN_ISSUER} out"
            ),
            Signing::Secret { arn, secrets } => {
                let secret = secrets.current(arn).context("the secret has no value")?;
                let key = EncodingKey::from_secret(secret.as_bytes());
                Ok((Header::new(Algorithm::HS256), key))
            }
            Signing::Key(key) => Ok((key.header(), key.encoding_key().clone())),
        }
    }
}

fn chosen(asked_for: Authentication, stack: &Stack) -> anyhow::Result<Authentication> {
    match stack.parameters.get(AUTHENTICATION) {
        Some(parameter) => parameter.parse().map_err(|_| {
            anyhow::anyhow!(
                "the parameter {AUTHENTICATION} must be open, secret or jwks, is `{parameter}`"
            )
        }),
        None if asked_for == Authentication::Open => Ok(asked_for),
        None => bail!(
            "--auth {asked_for} needs a template with the parameter {AUTHENTICATION}, and this one \
             has none"
        ),
    }
}

fn token_secret(stack: &Stack, secrets: &Secrets) -> anyhow::Result<String> {
    let arn = stack.outputs.get(TOKEN_SECRET_ARN);
    let arn = arn.with_context(|| {
        format!(
            "the authentication `secret` needs a template with the output {TOKEN_SECRET_ARN}, and \
             this one has none"
        )
    })?;
    if secrets.current(arn).is_none() {
        bail!(
            "the output {TOKEN_SECRET_ARN} is {arn}, which is no secret of this template with a \
             value: leave out the parameter that says so"
        );
    }
    Ok(arn.clone())
}
