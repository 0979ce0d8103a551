//! An OpenID Connect issuer for tests: it publishes given keys, counts requests, and can be slow, down
//! or faulty.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::harness::TestStack;

/// The audience of the tests' tokens.
pub const AUDIENCE: &str = "4h7jk2l3m9n8b5v6c1x0z";

/// The issuer's answer to requests for its keys.
#[derive(Clone, Debug)]
pub enum KeyAnswer {
    Keys,
    /// No answer, on an accepted connection.
    Silent,
    /// An answer with this status and body.
    Status(u16, String),
}

/// A running issuer.
pub struct Issuer {
    /// The issuer's name.
    pub name: String,
    state: Arc<Published>,
    server: JoinHandle<()>,
}

struct Published {
    keys: Mutex<Vec<Value>>,
    answer: Mutex<KeyAnswer>,
    /// The number of requests for the key set.
    asked: AtomicUsize,
}

impl Issuer {
    /// Starts an issuer with this path in its name.
    pub async fn start(path: &str, keys: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Published {
            keys: Mutex::new(keys),
            answer: Mutex::new(KeyAnswer::Keys),
            asked: AtomicUsize::new(0),
        });
        let discovery = path.trim_end_matches('/').to_owned() + "/.well-known/openid-configuration";
        let name = format!("{address}{path}");
        let document = json!({
            "issuer": name,
            "jwks_uri": format!("{address}/keys/current"),
            "id_token_signing_alg_values_supported": ["RS256"],
        });
        let router = Router::new()
            .route(&discovery, get(async move || document.to_string()))
            .route("/keys/{set}", get(keys_of))
            .with_state(state.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            name,
            state,
            server,
        }
    }

    /// Starts a stack that accepts its tokens.
    pub async fn stack(&self) -> TestStack {
        TestStack::start_with_parameters(&[
            ("Authentication", "jwks"),
            ("TokenIssuer", &self.name),
            ("TokenAudience", &format!("other-audience, {AUDIENCE}")),
        ])
        .await
    }

    pub fn publish(&self, keys: Vec<Value>) {
        *self.state.keys.lock().unwrap() = keys;
    }

    pub fn set_answer(&self, answer: KeyAnswer) {
        *self.state.answer.lock().unwrap() = answer;
    }

    /// Returns the number of requests for the key set.
    pub fn asked(&self) -> usize {
        self.state.asked.load(Ordering::Relaxed)
    }

    pub fn stop(self) {
        self.server.abort();
    }
}

async fn keys_of(State(issuer): State<Arc<Published>>, Path(set): Path<String>) -> Response {
    if set != "current" {
        return StatusCode::NOT_FOUND.into_response();
    }
    issuer.asked.fetch_add(1, Ordering::Relaxed);
    let answer = issuer.answer.lock().unwrap().clone();
    match answer {
        KeyAnswer::Keys => {
            let keys = issuer.keys.lock().unwrap().clone();
            json!({"keys": keys}).to_string().into_response()
        }
        KeyAnswer::Silent => std::future::pending().await,
        KeyAnswer::Status(status, body) => {
            (StatusCode::from_u16(status).unwrap(), body).into_response()
        }
    }
}
