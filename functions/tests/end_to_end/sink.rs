//! A `@connections` endpoint with scripted answers, which counts posts. It serves more connections than
//! there are sockets.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

/// The status of the n-th post to a connection, the first being 1.
type Script = dyn Fn(&str, usize) -> u16 + Send + Sync;

/// The posts to a connection.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The number of posts.
    pub posts: usize,
    /// The number of accepted posts by the event's id.
    pub accepted: HashMap<String, usize>,
}

/// A running sink.
pub struct Sink {
    pub endpoint: String,
    seen: Arc<Mutex<HashMap<String, Seen>>>,
    server: JoinHandle<()>,
}

impl Sink {
    pub async fn start(script: impl Fn(&str, usize) -> u16 + Send + Sync + 'static) -> Self {
        let script: Arc<Script> = Arc::new(script);
        let seen = Arc::<Mutex<HashMap<String, Seen>>>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}/dev", listener.local_addr().unwrap());
        let post = {
            let seen = seen.clone();
            async move |Path(connection): Path<String>, frame: Bytes| {
                let mut seen = seen.lock().unwrap();
                let seen = seen.entry(connection.clone()).or_default();
                seen.posts += 1;
                let status = script(&connection, seen.posts);
                if status == 200 {
                    let frame: Value = serde_json::from_slice(&frame).unwrap();
                    let event_id = frame["eventId"].as_str().unwrap().to_owned();
                    *seen.accepted.entry(event_id).or_default() += 1;
                }
                answer(status)
            }
        };
        let router =
            Router::new().route("/dev/@connections/{connection}", axum::routing::post(post));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            endpoint,
            seen,
            server,
        }
    }

    /// Returns the posts to a connection.
    pub fn seen(&self, connection: &str) -> Seen {
        let seen = self.seen.lock().unwrap();
        seen.get(connection).cloned().unwrap_or_default()
    }

    /// Returns the number of connections that accepted an event.
    pub fn accepted_by(&self, event_id: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.values()
            .filter(|seen| seen.accepted.contains_key(event_id))
            .count()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn answer(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    let code = match status {
        StatusCode::GONE => "GoneException",
        StatusCode::TOO_MANY_REQUESTS => "LimitExceededException",
        _ => "InternalServerErrorException",
    };
    if status == StatusCode::OK {
        status.into_response()
    } else {
        (status, [("x-amzn-errortype", code)]).into_response()
    }
}
