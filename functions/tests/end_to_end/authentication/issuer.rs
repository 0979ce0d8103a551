//! An OpenID Connect issuer of a test's own: it publishes the keys it is told to, counts who asks, and
//! can be slow, down, or talk nonsense.

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

/// The audience that the tests' tokens are for.
pub const AUDIENCE: &str = "4h7jk2l3m9n8b5v6c1x0z";

/// How the issuer answers who asks for its keys.
#[derive(Clone, Debug)]
pub enum Mood {
    Well,
    /// Never, though it takes the connection.
    Silent,
    /// With this status and body.
    Answering(u16, String),
}

/// A running issuer.
pub struct Issuer {
    /// What it calls itself.
    pub name: String,
    state: Arc<Published>,
    server: JoinHandle<()>,
}

struct Published {
    keys: Mutex<Vec<Value>>,
    mood: Mutex<Mood>,
    /// How often the key set was asked for.
    asked: AtomicUsize,
}

impl Issuer {
    /// An issuer whose name has this path.
    pub async fn start(path: &str, keys: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Published {
            keys: Mutex::new(keys),
            mood: Mutex::new(Mood::Well),
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

    /// The parameters of a stack that takes its tokens.
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

    pub fn set_mood(&self, mood: Mood) {
        *self.state.mood.lock().unwrap() = mood;
    }

    /// How often the key set was asked for.
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
    let mood = issuer.mood.lock().unwrap().clone();
    match mood {
        Mood::Well => {
            let keys = issuer.keys.lock().unwrap().clone();
            json!({"keys": keys}).to_string().into_response()
        }
        Mood::Silent => std::future::pending().await,
        Mood::Answering(status, body) => {
            (StatusCode::from_u16(status).unwrap(), body).into_response()
        }
    }
}
