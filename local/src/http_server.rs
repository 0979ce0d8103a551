//! The HTTP server of the stack's port. It bounds the time that a client takes to send a request
//! and nothing else, so WebSockets and long polls may last.

mod body;
mod listener;

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

use body::{Deadline, TimedBody};
pub(crate) use listener::RetryingListener;

/// The time limits of a client that sends a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// From the connection, or the answer to the previous request, to the end of the head.
    head: Duration,
    /// From the head to the end of the body.
    body: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            // The AWS SDKs for Rust keep an idle connection for 90 s. A shorter time would close
            // connections that an SDK is about to reuse.
            head: Duration::from_secs(100),
            body: Duration::from_secs(30),
        }
    }
}

/// Serves a port until the returned future is dropped.
pub(crate) async fn serve(listener: TcpListener, router: Router, timeouts: Timeouts) {
    let router = router.layer(middleware::from_fn(move |request, next| {
        bound_body(timeouts.body, request, next)
    }));
    let mut listener = RetryingListener::new(listener);
    loop {
        let (stream, client) = listener.accept().await;
        tokio::spawn(serve_client(stream, client, router.clone(), timeouts.head));
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
        tracing::debug!(%error, %client, "HTTP connection ended");
    }
}

/// Answers 408 to a request whose body does not arrive in time.
async fn bound_body(timeout: Duration, request: Request, next: Next) -> Response {
    let deadline = Deadline::new(timeout);
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
