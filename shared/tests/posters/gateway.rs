//! A gateway on loopback with scripted answers. It keeps the last request.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::Notify, task::JoinSet};

/// The gateway's answer to a request.
#[derive(Clone)]
pub(crate) enum Answer {
    Status {
        status: u16,
        error_type: Option<&'static str>,
        body: String,
    },
    /// Accepts the post and closes the connection after the answer, which says so.
    Last,
    /// Closes the connection without an answer.
    HangUp,
    Never,
}

impl Answer {
    pub(crate) const OK: Self = Self::Status {
        status: 200,
        error_type: None,
        body: String::new(),
    };
}

pub(crate) struct Gateway {
    address: SocketAddr,
    state: Arc<State>,
    running: JoinSet<()>,
}

struct State {
    answer: Mutex<Answer>,
    accepted: Mutex<Option<Request<Bytes>>>,
    connections: AtomicUsize,
    open: Mutex<JoinSet<()>>,
    arrival: Notify,
}

impl Gateway {
    /// Starts a gateway that accepts every post.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            answer: Mutex::new(Answer::OK),
            accepted: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: Mutex::default(),
            arrival: Notify::new(),
        });
        let mut running = JoinSet::new();
        running.spawn(serve(listener, Arc::clone(&state)));
        Self {
            address,
            state,
            running,
        }
    }

    /// Returns the URL of its management API.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}/dev", self.address)
    }

    /// Sets the answer to all further requests.
    pub(crate) fn answer(&self, answer: Answer) {
        *locked(&self.state.answer) = answer;
    }

    /// Returns the last request that was answered.
    pub(crate) fn accepted(&self) -> Request<Bytes> {
        locked(&self.state.accepted).take().expect("a post")
    }

    /// Returns the number of connections ever made to it.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Waits until a request has arrived.
    pub(crate) async fn arrival(&self) {
        self.state.arrival.notified().await;
    }

    /// Closes all connections.
    pub(crate) async fn close_connections(&self) {
        let mut open = std::mem::take(&mut *locked(&self.state.open));
        open.shutdown().await;
    }

    /// Stops the gateway and returns its URL, on which nothing listens any more.
    pub(crate) async fn stop(mut self) -> String {
        self.running.shutdown().await;
        self.close_connections().await;
        self.endpoint()
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        state.connections.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::clone(&state);
        locked(&state.open).spawn(async move {
            let answer = service_fn(|request| answer(request, &connection));
            // A connection that was closed without an answer ends with an error.
            http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await
                .ok();
        });
    }
}

async fn answer(request: Request<Incoming>, state: &State) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let answer = locked(&state.answer).clone();
    state.arrival.notify_one();
    let mut response = Response::builder();
    let text = match answer {
        Answer::Status {
            status,
            error_type,
            body,
        } => {
            response = response.status(status);
            if let Some(error_type) = error_type {
                response = response.header("x-amzn-errortype", error_type);
            }
            body
        }
        Answer::Last => {
            response = response.header("connection", "close");
            String::new()
        }
        Answer::HangUp => return Err(io::Error::other("closed without an answer")),
        Answer::Never => std::future::pending().await,
    };
    *locked(&state.accepted) = Some(Request::from_parts(head, body));
    response.body(Full::from(text)).map_err(io::Error::other)
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
