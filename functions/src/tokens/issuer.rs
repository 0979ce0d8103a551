//! An OpenID Connect issuer, and the keys it signs with.
//!
//! Source: OpenID Connect Discovery 1.0, section 4.

use bytes::Bytes;
use herald_shared::tls::{Connector, connector};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{StatusCode, Uri};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use serde::Deserialize;

use super::{
    cached::{Failure, Fetch},
    key_set::KeySet,
    url::{InvalidUrl, url},
};

/// The most that is read of an answer.
const ANSWER_LIMIT: usize = 256 * 1024;

/// How long a connection is kept: from the discovery document to the key set. One that was kept from
/// an hour ago would be dead.
const IDLE_LIMIT: std::time::Duration = std::time::Duration::from_secs(1);

/// An issuer of tokens.
#[derive(Debug)]
pub(super) struct Issuer {
    client: Client<Connector, Empty<Bytes>>,
    /// What it calls itself, in tokens and in its discovery document.
    name: String,
    discovery: Uri,
}

/// What discovery says, as far as it matters here.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// What an issuer answers that is of no use.
#[derive(Debug, thiserror::Error)]
enum UnusableAnswer {
    #[error("{0} answered {1}")]
    Status(Uri, StatusCode),
    #[error("{url} answered no discovery document")]
    NoDiscovery { url: Uri, source: serde_json::Error },
    #[error(
        "the issuer calls itself {0:?}, and TokenIssuer is {1:?}: set TokenIssuer to what it calls itself"
    )]
    OtherIssuer(String, String),
}

impl Issuer {
    /// An issuer by its URL, which is also its name. Errs if nothing may be fetched from there, or if
    /// this machine trusts nobody.
    pub(super) fn new(name: &str) -> Result<Self, Failure> {
        Ok(Self {
            client: Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_LIMIT)
                .build(connector()?),
            name: name.to_owned(),
            discovery: discovery(name)?,
        })
    }

    async fn key_set_url(&self) -> Result<Uri, Failure> {
        let json = self.get(&self.discovery).await?;
        let discovery: Discovery =
            serde_json::from_slice(&json).map_err(|source| UnusableAnswer::NoDiscovery {
                url: self.discovery.clone(),
                source,
            })?;
        if discovery.issuer != self.name {
            let name = self.name.clone();
            return Err(UnusableAnswer::OtherIssuer(discovery.issuer, name).into());
        }
        Ok(url(&discovery.jwks_uri)?)
    }

    /// Follows no redirect: it could lead to a place that [`url`] would not allow.
    async fn get(&self, url: &Uri) -> Result<Bytes, Failure> {
        let (head, body) = self.client.get(url.clone()).await?.into_parts();
        if head.status != StatusCode::OK {
            return Err(UnusableAnswer::Status(url.clone(), head.status).into());
        }
        Ok(Limited::new(body, ANSWER_LIMIT).collect().await?.to_bytes())
    }
}

impl Fetch for Issuer {
    type Value = KeySet;

    const NAME: &str = "the issuer's key set";

    async fn fetch(&self) -> Result<KeySet, Failure> {
        let url = self.key_set_url().await?;
        Ok(KeySet::from_json(&self.get(&url).await?)?)
    }
}

/// Where the discovery document of an issuer is.
pub(super) fn discovery(issuer: &str) -> Result<Uri, InvalidUrl> {
    let issuer = issuer.trim_end_matches('/');
    url(&format!("{issuer}/.well-known/openid-configuration"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_discovery_document_is_under_the_issuer() {
        for issuer in ["https://tenant.auth0.com/", "https://tenant.auth0.com"] {
            assert_eq!(
                discovery(issuer).expect("a URL"),
                "https://tenant.auth0.com/.well-known/openid-configuration"
            );
        }
        assert_eq!(
            discovery("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_aB3").expect("a URL"),
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_aB3/.well-known/openid-configuration"
        );
    }
}
