//! Signature Version 4 of a post to the management API.
//!
//! The key is derived by the SDK's own crate. The SDK's signer derives it, hashes the payload and sorts the headers
//! again for every request; this one prepares all that does not differ between the posts of a second.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    digest::{self, SHA256, SHA256_OUTPUT_LEN},
    hmac::{self, HMAC_SHA256},
};
use aws_sdk_apigatewaymanagement::{
    config::{Credentials, ProvideCredentials, Region, SharedCredentialsProvider},
    primitives::{DateTime, DateTimeFormat},
};
use aws_sigv4::sign::v4::generate_signing_key;
use hyper::{
    HeaderMap,
    header::{self, HeaderName, HeaderValue},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::Mutex;

const SERVICE: &str = "execute-api";

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// The type of a post's body, which is signed as well.
pub(super) const CONTENT_TYPE: HeaderValue = HeaderValue::from_static(OCTET_STREAM);
const OCTET_STREAM: &str = "application/octet-stream";

/// Every character that must be percent-encoded.
pub(super) const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The same for a whole path.
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// The remaining lifetime at which credentials are renewed.
const RENEWAL: Duration = Duration::from_secs(5 * 60);

/// The signer of posts to one API.
#[derive(Debug)]
pub(super) struct Signer {
    host: HeaderValue,
    region: Region,
    provider: SharedCredentialsProvider,
    /// Locked while credentials are fetched, so that concurrent posts fetch them once.
    session: Mutex<Option<Arc<Session>>>,
}

/// The headers that sign a post.
#[derive(Debug)]
pub(super) struct Signed {
    session: Arc<Session>,
    authorization: HeaderValue,
}

/// The parts that all signatures of one second share.
struct Session {
    credentials: Credentials,
    second: u64,
    /// `20261121T101530Z`.
    date_time: HeaderValue,
    /// `20261121/eu-central-1/execute-api/aws4_request`.
    scope: String,
    key: hmac::Key,
    token: Option<HeaderValue>,
    /// The canonical request between its path and the hash of its payload.
    canonical_headers: String,
    /// The string to sign before the hash of the canonical request.
    to_sign: String,
    /// The header `authorization` before the signature.
    authorization: String,
}

impl Signer {
    pub(super) fn new(
        host: HeaderValue,
        region: Region,
        provider: SharedCredentialsProvider,
    ) -> Self {
        Self {
            host,
            region,
            provider,
            session: Mutex::default(),
        }
    }

    /// Signs a post to this path, in the encoding in which it is sent, with a body of this hash.
    ///
    /// # Errors
    ///
    /// Returns an error if there are no credentials.
    pub(super) async fn sign(
        &self,
        path: &str,
        payload_hash: &str,
        now: SystemTime,
    ) -> Result<Signed, Box<dyn Error + Send + Sync>> {
        let session = self.session(now).await?;
        let authorization = session.authorization(path, payload_hash)?;
        Ok(Signed {
            session,
            authorization,
        })
    }

    async fn session(&self, now: SystemTime) -> Result<Arc<Session>, Box<dyn Error + Send + Sync>> {
        let second = now.duration_since(UNIX_EPOCH)?.as_secs();
        let mut current = self.session.lock().await;
        if let Some(session) = current.as_ref().filter(|session| session.second == second) {
            return Ok(Arc::clone(session));
        }
        let usable = current
            .as_ref()
            .filter(|session| !expires_soon(&session.credentials, now));
        let credentials = match usable {
            Some(session) => session.credentials.clone(),
            None => self.provider.provide_credentials().await?,
        };
        let session = Session::new(self, credentials, second, current.as_deref())?;
        Ok(Arc::clone(current.insert(Arc::new(session))))
    }
}

impl Signed {
    /// Adds the signature's headers to those of the post.
    pub(super) fn insert_into(self, headers: &mut HeaderMap) {
        headers.insert(DATE, self.session.date_time.clone());
        if let Some(token) = &self.session.token {
            headers.insert(TOKEN, token.clone());
        }
        headers.insert(header::AUTHORIZATION, self.authorization);
    }
}

impl Session {
    fn new(
        signer: &Signer,
        credentials: Credentials,
        second: u64,
        previous: Option<&Self>,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let date_time = basic_format(second)?;
        let region = signer.region.as_ref();
        let scope = format!("{}/{region}/{SERVICE}/aws4_request", &date_time[..8]);
        let secret = credentials.secret_access_key();
        let key = previous
            .filter(|session| {
                session.scope == scope && session.credentials.secret_access_key() == secret
            })
            .map_or_else(
                || signing_key(secret, second, region),
                |session| session.key.clone(),
            );
        let token = credentials.session_token();
        let host = signer.host.to_str()?;
        let mut headers = format!("content-type:{OCTET_STREAM}\nhost:{host}\n{DATE}:{date_time}\n");
        let mut names = format!("content-type;host;{DATE}");
        if let Some(token) = token {
            headers += &format!("{TOKEN}:{token}\n");
            names += &format!(";{TOKEN}");
        }
        let access_key = credentials.access_key_id();
        Ok(Self {
            second,
            date_time: HeaderValue::from_str(&date_time)?,
            key,
            token: token.map(sensitive).transpose()?,
            canonical_headers: format!("\n\n{headers}\n{names}\n"),
            to_sign: format!("{ALGORITHM}\n{date_time}\n{scope}\n"),
            authorization: format!(
                "{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={names}, Signature="
            ),
            scope,
            credentials,
        })
    }

    fn authorization(
        &self,
        path: &str,
        payload_hash: &str,
    ) -> Result<HeaderValue, Box<dyn Error + Send + Sync>> {
        let mut request = digest::Context::new(&SHA256);
        request.update(b"POST\n");
        // This is the second encoding of the path, which every service but S3 requires.
        for part in utf8_percent_encode(path, PATH) {
            request.update(part.as_bytes());
        }
        request.update(self.canonical_headers.as_bytes());
        request.update(payload_hash.as_bytes());
        let mut signature = hmac::Context::with_key(&self.key);
        signature.update(self.to_sign.as_bytes());
        let mut hash = [0; 2 * SHA256_OUTPUT_LEN];
        hex::encode_to_slice(request.finish(), &mut hash)?;
        signature.update(&hash);
        hex::encode_to_slice(signature.sign(), &mut hash)?;
        let authorization = [self.authorization.as_bytes(), &hash].concat();
        sensitive(authorization)
    }
}

impl std::fmt::Debug for Session {
    /// Omits the key.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Session")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

fn expires_soon(credentials: &Credentials, now: SystemTime) -> bool {
    credentials
        .expiry()
        .is_some_and(|expiry| expiry <= now + RENEWAL)
}

fn signing_key(secret: &str, second: u64, region: &str) -> hmac::Key {
    let time = UNIX_EPOCH + Duration::from_secs(second);
    let key = generate_signing_key(secret, time, region, SERVICE);
    hmac::Key::new(HMAC_SHA256, key.as_ref())
}

/// Returns a time in the format of signatures: `20261121T101530Z`.
fn basic_format(second: u64) -> Result<String, Box<dyn Error + Send + Sync>> {
    let extended = DateTime::from_secs(i64::try_from(second)?).fmt(DateTimeFormat::DateTime)?;
    Ok(extended.replace(['-', ':'], ""))
}

/// Returns a header value that logs do not show.
fn sensitive(text: impl Into<Vec<u8>>) -> Result<HeaderValue, Box<dyn Error + Send + Sync>> {
    let mut value = HeaderValue::try_from(text.into())?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_credential_types::provider::future;
    use aws_sigv4::{
        http_request::{SignableBody, SignableRequest, SigningSettings, sign},
        sign::v4::SigningParams,
    };

    use super::*;

    const HOST: &str = "abc.execute-api.eu-central-1.amazonaws.com";
    const BODY: &str = r#"{"message":"Träger & Söhne 🎉"}"#;

    /// 2026-11-21T10:15:30Z.
    const NOW: u64 = 1_795_256_130;

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    fn credentials(token: Option<&str>) -> Credentials {
        Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            token.map(str::to_owned),
            None,
            "test",
        )
    }

    fn signer(provider: impl ProvideCredentials + 'static) -> Signer {
        Signer::new(
            HeaderValue::from_static(HOST),
            Region::from_static("eu-central-1"),
            SharedCredentialsProvider::new(provider),
        )
    }

    async fn ours(signer: &Signer, path: &str, now: SystemTime) -> HeaderMap {
        let hash = hex::encode(digest::digest(&SHA256, BODY.as_bytes()));
        let mut headers = HeaderMap::new();
        signer
            .sign(path, &hash, now)
            .await
            .expect("a signature")
            .insert_into(&mut headers);
        headers
    }

    /// Returns the headers of the SDK's signer.
    fn theirs(credentials: &Credentials, path: &str, now: SystemTime) -> HeaderMap {
        let identity = credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region("eu-central-1")
            .name(SERVICE)
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .expect("parameters");
        let headers = [("content-type", "application/octet-stream"), ("host", HOST)];
        let request = SignableRequest::new(
            "POST",
            format!("https://{HOST}{path}"),
            headers.into_iter(),
            SignableBody::Bytes(BODY.as_bytes()),
        );
        let signed = sign(request.expect("a request"), &params.into()).expect("a signature");
        let (instructions, _) = signed.into_parts();
        let mut request = hyper::Request::new(());
        instructions.apply_to_request_http1x(&mut request);
        request.headers().clone()
    }

    #[tokio::test]
    async fn signatures_equal_those_of_the_sdk() {
        for token in [None, Some("IQoJb3JpZ2luX2VjEJr//+/=")] {
            let credentials = credentials(token);
            let signer = signer(credentials.clone());
            for path in [
                "/dev/@connections/PcQeDRO4gIEm4LQ%3D",
                "/dev/@connections/a%2Fb%2Bc-d_e.f~g%3D",
                "/@connections/%C3%A4",
            ] {
                for second in [NOW, NOW + 1, NOW + 24 * 60 * 60] {
                    assert_eq!(
                        ours(&signer, path, at(second)).await,
                        theirs(&credentials, path, at(second)),
                        "{path} at {second}"
                    );
                }
            }
        }
    }

    /// A provider of new credentials on each call, each of which last an hour longer than the last.
    #[derive(Debug, Default)]
    struct Rotating(AtomicUsize);

    impl ProvideCredentials for Rotating {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            let expiry = Some(at(NOW + 60 * 60 * number as u64));
            let credentials =
                Credentials::new(format!("AKID{number}"), "secret", None, expiry, "test");
            future::ProvideCredentials::ready(Ok(credentials))
        }
    }

    #[tokio::test]
    async fn credentials_are_renewed_before_they_expire() {
        let signer = signer(Rotating::default());
        for (minute, access_key) in [(0, "AKID1"), (54, "AKID1"), (55, "AKID2"), (100, "AKID2")] {
            let headers = ours(&signer, "/dev/@connections/a", at(NOW + 60 * minute)).await;
            let authorization = headers[header::AUTHORIZATION].to_str().expect("text");
            assert!(
                authorization.contains(&format!("Credential={access_key}/")),
                "minute {minute}: {authorization}"
            );
        }
    }

    #[tokio::test]
    async fn debug_output_hides_secrets() {
        let signer = signer(credentials(Some("the-token")));
        let headers = ours(&signer, "/dev/@connections/a", at(NOW)).await;
        let shown = format!("{headers:?} {signer:?}");
        assert!(!shown.contains("the-token"), "{shown}");
        assert!(!shown.contains("wJalr"), "{shown}");
    }
}
