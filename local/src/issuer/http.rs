//! The issuer's HTTP addresses: its discovery document, its keys, and the minting of tokens.
//!
//! There are no CORS headers, on purpose: see the guard of the port, `crate::visitors`. The discovery
//! document has no addresses to sign in at, because the issuer has no users.
//! <https://openid.net/specs/openid-connect-discovery-1_0.html>

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    response::Response,
};
use chrono::Utc;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Issuer, Signing, TokenRequest,
    key::{ALGORITHM, PublishedKey},
};
use crate::gateway::respond;

/// The path of the issuer.
pub(super) const ROOT: &str = "/auth";
const DISCOVERY: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/jwks.json";
const TOKEN: &str = "/token";

/// The largest request in bytes, more than any token needs.
const REQUEST_LIMIT: usize = 64 * 1024;

const EXAMPLE: &str =
    r#"{"userId":"alice","permissions":{"order-*":["subscribe"]},"expiresIn":3600}"#;

/// Returns whether a path belongs to the issuer.
pub(crate) fn handles(path: &str) -> bool {
    let path = path.strip_prefix(ROOT);
    path.is_some_and(|path| [DISCOVERY, KEYS, TOKEN].contains(&path))
}

/// Returns the address at which an issuer mints tokens.
pub(super) fn token_address(issuer: &str) -> String {
    format!("{issuer}{TOKEN}")
}

impl Issuer {
    /// Answers a request to the issuer.
    pub(crate) async fn handle(&self, request: Request) -> Response<Body> {
        let path = request.uri().path().strip_prefix(ROOT).unwrap_or_default();
        let method = if path == TOKEN {
            Method::POST
        } else {
            Method::GET
        };
        if request.method() != method {
            let message = format!("use {method}: the issuer supports no other method here");
            let mut refused = respond(StatusCode::METHOD_NOT_ALLOWED, &message);
            let allowed = HeaderValue::from_str(method.as_str());
            refused
                .headers_mut()
                .extend(allowed.map(|allowed| (header::ALLOW, allowed)));
            return refused;
        }
        match path {
            TOKEN => self.token(request).await,
            KEYS => self.published(|key| json!(key.set())),
            _ => self.published(|_| {
                json!({
                    "issuer": self.address,
                    "jwks_uri": format!("{}{KEYS}", self.address),
                    "response_types_supported": [],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": [ALGORITHM],
                })
            }),
        }
    }

    fn published(&self, document: impl FnOnce(&PublishedKey) -> Value) -> Response<Body> {
        match &self.signing {
            Signing::Key(key) => json_response(&document(key)),
            _ => respond(
                StatusCode::NOT_FOUND,
                "this stack publishes no keys: start herald-local with --auth jwks",
            ),
        }
    }

    async fn token(&self, request: Request) -> Response<Body> {
        if let Err(error) = self.signing_key() {
            return respond(StatusCode::NOT_FOUND, &error.to_string());
        }
        let body = match to_bytes(request.into_body(), REQUEST_LIMIT).await {
            Ok(body) => body,
            Err(error) => return bad_request(&error.to_string()),
        };
        let request: TokenRequest = match serde_json::from_slice(&body) {
            Ok(request) => request,
            Err(error) => return bad_request(&format!("send JSON like {EXAMPLE}: {error}")),
        };
        match self.mint(&request, Utc::now()) {
            Ok(token) => json_response(&token),
            Err(error) => bad_request(&error.to_string()),
        }
    }
}

fn bad_request(message: &str) -> Response<Body> {
    respond(StatusCode::BAD_REQUEST, message)
}

fn json_response(document: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_string(document).expect("numbers, texts and maps of them");
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    // A token must not be shared, and a key is valid until the next start only.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
