//! An OpenID Connect issuer and its signing keys.
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
    key_set::KeySet,
    url::{InvalidUrl, url},
};
use crate::cached::{Failure, Fetch};

/// The maximum size of an answer that is read, in bytes.
const ANSWER_LIMIT: usize = 256 * 1024;

/// The time that an idle connection is kept: from the discovery document to the key set. A connection
/// from an hour ago would be dead.
const IDLE_LIMIT: std::time::Duration = std::time::Duration::from_secs(1);

/// An issuer of tokens.
#[derive(Debug)]
pub(super) struct Issuer {
    client: Client<Connector, Empty<Bytes>>,
    /// The issuer's name in tokens and in its discovery document.
    name: String,
    discovery: Uri,
}

/// The fields of the discovery document that Herald reads.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// The reason an issuer's answer is unusable.
#[derive(Debug, thiserror::Error)]
enum UnusableAnswer {
    #[error("{0} answered with status {1}")]
    Status(Uri, StatusCode),
    #[error("{url} did not answer with a discovery document")]
    NoDiscovery { url: Uri, source: serde_json::Error },
    #[error(
        "the discovery document names the issuer {0:?}, but TokenIssuer is {1:?}: set TokenIssuer to the name in the document"
    )]
    OtherIssuer(String, String),
}

impl Issuer {
    /// Returns an issuer by its URL, which is also its name.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL is not allowed, or this machine trusts no certificate authority.
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

    /// Fetches a document. It follows no redirect, which could lead to a URL that [`url`] does not
    /// allow.
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

/// Returns the URL of an issuer's discovery document.
///
/// # Errors
///
/// Returns [`InvalidUrl`] if the URL is not allowed.
pub(super) fn discovery(issuer: &str) -> Result<Uri, InvalidUrl> {
    let issuer = issuer.trim_end_matches('/');
    url(&format!("{issuer}/.well-known/openid-configuration"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discovery_document_is_under_the_issuers_url() {
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
