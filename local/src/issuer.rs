//! The issuer of test tokens, so that a stack can be tried as it is deployed: with clients that need a
//! token.
//!
//! It has neither users nor passwords: every caller that the guard of the port admits gets a token for
//! any user. The authorizer decides what a token allows; the issuer mints whatever is requested, even
//! expired tokens and invalid permissions.

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

/// The template's output with the ARN of the secret that signs tokens.
const TOKEN_SECRET_ARN: &str = "TokenSecretArn";

/// The default lifetime of a token, in seconds.
const DEFAULT_LIFETIME: i64 = 3600;

/// The issuer of a running stack.
pub struct Issuer {
    /// Its address, the `iss` of its tokens.
    address: String,
    authentication: Authentication,
    audience: Option<String>,
    signing: Signing,
}

/// The means to sign tokens.
enum Signing {
    /// The stack accepts no tokens.
    Nothing,
    Secret {
        arn: String,
        secrets: Arc<Secrets>,
    },
    Key(PublishedKey),
    /// The stack accepts tokens of this issuer only.
    Elsewhere(String),
}

/// The content of a token to mint.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenRequest {
    /// The user, claim `sub`.
    pub user_id: String,
    /// The claim `herald`, if the token shall have it.
    pub permissions: Option<Value>,
    /// The claim `heraldInfo`, if the token shall have it.
    pub info: Option<Value>,
    /// The seconds until it expires, by default an hour; a negative number for an expired token.
    pub expires_in: Option<i64>,
    /// The epoch second before which it is not valid.
    pub not_before: Option<i64>,
    /// The claim `aud`, by default one that the stack accepts.
    pub audience: Option<String>,
}

/// A token and its expiry.
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
    #[serde(rename = "heraldInfo", skip_serializing_if = "Option::is_none")]
    herald_info: Option<&'a Value>,
}

impl Issuer {
    /// Returns the address of the issuer at an endpoint.
    pub(crate) fn address(endpoint: &str) -> String {
        format!("{endpoint}{}", http::ROOT)
    }

    /// Returns the issuer of a stack. The stack's parameters override the requested authentication.
    ///
    /// # Errors
    /// Returns an error if the parameters contradict each other, or the secret that signs tokens is
    /// unknown.
    pub(crate) fn new(
        address: String,
        requested: Authentication,
        stack: &Stack,
        secrets: Arc<Secrets>,
    ) -> anyhow::Result<Self> {
        let authentication = chosen(requested, stack)?;
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

    /// Returns the authentication that clients of the stack need.
    pub fn authentication(&self) -> Authentication {
        self.authentication
    }

    /// Returns the address that mints tokens; `None` if the stack accepts none of this issuer.
    pub fn token_address(&self) -> Option<String> {
        match self.signing {
            Signing::Secret { .. } | Signing::Key(_) => Some(http::token_address(&self.address)),
            Signing::Nothing | Signing::Elsewhere(_) => None,
        }
    }

    /// Mints a token, issued at `now`.
    ///
    /// # Errors
    /// Returns an error if the stack accepts no tokens of this issuer, or the request is invalid.
    pub fn mint(&self, request: &TokenRequest, now: DateTime<Utc>) -> anyhow::Result<Token> {
        let (header, key) = self.signing_key()?;
        let issued_at = now.timestamp();
        let expires_at = issued_at.checked_add(request.expires_in.unwrap_or(DEFAULT_LIFETIME));
        let expires_at = expires_at.context(
            "expiresIn is out of range: give the seconds until the token expires, e.g. 3600",
        )?;
        if request.user_id.is_empty() {
            bail!("userId is empty: name the user of the token");
        }
        let claims = Claims {
            iss: &self.address,
            sub: &request.user_id,
            aud: request.audience.as_deref().or(self.audience.as_deref()),
            iat: issued_at,
            nbf: request.not_before,
            exp: expires_at,
            herald: request.permissions.as_ref(),
            herald_info: request.info.as_ref(),
        };
        Ok(Token {
            token: encode(&header, &claims, &key)?,
            expires_at,
        })
    }

    fn signing_key(&self) -> anyhow::Result<(Header, EncodingKey)> {
        match &self.signing {
            Signing::Nothing => bail!(
                "this stack accepts no tokens: start herald-local with --auth jwks or --auth secret"
            ),
            Signing::Elsewhere(issuer) => bail!(
                "this stack accepts tokens of {issuer}: get one there, or remove the parameter \
                 {TOKEN_ISSUER}"
            ),
            Signing::Secret { arn, secrets } => {
                let secret = secrets.current(arn).context(
                    "the secret that signs tokens has no value: put one with PutSecretValue",
                )?;
                let key = EncodingKey::from_secret(secret.as_bytes());
                Ok((Header::new(Algorithm::HS256), key))
            }
            Signing::Key(key) => Ok((key.header(), key.encoding_key().clone())),
        }
    }
}

fn chosen(requested: Authentication, stack: &Stack) -> anyhow::Result<Authentication> {
    match stack.parameters.get(AUTHENTICATION) {
        Some(parameter) => parameter.parse().map_err(|_| {
            anyhow::anyhow!(
                "the parameter {AUTHENTICATION} must be open, secret or jwks, got `{parameter}`"
            )
        }),
        None if requested == Authentication::Open => Ok(requested),
        None => bail!(
            "--auth {requested} needs a template with the parameter {AUTHENTICATION}: add it, or use \
             --auth open"
        ),
    }
}

fn token_secret(stack: &Stack, secrets: &Secrets) -> anyhow::Result<String> {
    let arn = stack.outputs.get(TOKEN_SECRET_ARN);
    let arn = arn.with_context(|| {
        format!(
            "the authentication `secret` needs a template with the output {TOKEN_SECRET_ARN}: add it"
        )
    })?;
    if secrets.current(arn).is_none() {
        bail!(
            "the output {TOKEN_SECRET_ARN} must be a secret of this template that has a value, got \
             {arn}: remove the parameter that sets it"
        );
    }
    Ok(arn.clone())
}
