//! The HTTP server of the one port: it bounds how long a client may take to send a request, and
//! nothing else, so that WebSockets and long polls last.

mod accepting;
mod body;

use std::{net::SocketAddr, time::Duration};

use axum::{
    Extension, Router,
    body::Body,
    extract::{ConnectInfo, Request},
    http::{HeaderValue, StatusCode, header::CONNECTION},
    middleware::{self, Next},
    response::Response,
    serve::Listener,
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};

pub(crate) use accepting::Accepting;
use body::{Deadline, TimedBody};

/// The time limits of a client that sends a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// From the connection, or the answer to the request before, to the end of the head.
    head: Duration,
    /// From the head to the end of the body.
    body: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            // Longer than the 90 s for which the AWS SDKs for Rust keep a connection for their next
            // request: they must not meet one that is just being closed.
            head: Duration::from_secs(100),
            body: Duration::from_secs(30),
        }
    }
}

/// Serves a port until the returned future is dropped.
pub(crate) async fn serve(listener: TcpListener, router: Router, patience: Patience) {
    let router = router.layer(middleware::from_fn(move |request, next| {
        bound_body(patience.body, request, next)
    }));
    let mut listener = Accepting::new(listener);
    loop {
        let (stream, client) = listener.accept().await;
        tokio::spawn(serve_client(stream, client, router.clone(), patience.head));
    }
}

async fn serve_client(stream: TcpStream, client: SocketAddr, router: Router, head: Duration) {
    let router = router.layer(Extension(ConnectInfo(client)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    if let Err(error) = connection.await {
        tracing::debug!(%error, %client, "a connection has ended");
    }
}

/// Answers 408 to a request whose body does not come in time.
async fn bound_body(patience: Duration, request: Request, next: Next) -> Response {
    let deadline = Deadline::new(patience);
    let request = request.map(|body| Body::new(TimedBody::new(body, deadline.clone())));
    let response = next.run(request).await;
    if !deadline.has_passed() {
        return response;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

#[cfg(test)]
mod tests;
