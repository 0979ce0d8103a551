//! The connections to the gateway, kept for the next posts.
//!
//! The post that uses a connection also drives it, so its answer wakes nothing but the post. A pooled client drives
//! each connection in a task of its own and puts it back in another, and a post wakes all of them.

use std::{
    collections::VecDeque,
    error::Error,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Response, Uri,
    client::conn::{
        TrySendError,
        http1::{self, SendRequest},
    },
    service::Service,
};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{net::TcpStream, time::Instant};

use crate::tls::Connector;

/// The maximum size of an answer that is read, in bytes. The gateway's answers are much smaller.
const ANSWER_LIMIT: usize = 64 * 1024;

/// The time after which an unused connection is closed.
const IDLE: Duration = Duration::from_secs(90);

/// The connections to one gateway. A post has one for itself, so there are as many as posts in flight.
#[derive(Debug)]
pub(super) struct Connections {
    connector: TowerToHyperService<Connector>,
    gateway: Uri,
    /// The idle ones, the last used at the back.
    idle: Mutex<VecDeque<Idle>>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

#[derive(Debug)]
struct Connection {
    requests: SendRequest<Full<Bytes>>,
    driver: Box<http1::Connection<MaybeHttpsStream<TokioIo<TcpStream>>, Full<Bytes>>>,
}

impl Connections {
    pub(super) fn new(connector: Connector, gateway: Uri) -> Self {
        Self {
            connector: TowerToHyperService::new(connector),
            gateway,
            idle: Mutex::default(),
        }
    }

    /// Sends a request and returns the answer, with an empty body if its own cannot be read.
    ///
    /// # Errors
    ///
    /// Returns an error if the gateway cannot be reached or does not answer.
    pub(super) async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        while let Some(connection) = self.take_idle() {
            match connection.send(request).await {
                Ok(answered) => return Ok(self.keep(answered)),
                Err(mut error) => match error.take_message() {
                    // The gateway has closed the connection, and nothing was sent.
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let answered = self.connect().await?.send(request).await;
        answered
            .map(|answered| self.keep(answered))
            .map_err(|error| error.into_error().into())
    }

    async fn connect(&self) -> Result<Connection, Box<dyn Error + Send + Sync>> {
        let stream = self.connector.call(self.gateway.clone()).await?;
        let (requests, driver) = http1::handshake(stream).await?;
        let driver = Box::new(driver);
        Ok(Connection { requests, driver })
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle();
        close_unused(&mut idle);
        Some(idle.pop_back()?.connection)
    }

    fn keep(&self, (answer, connection): (Response<Bytes>, Option<Connection>)) -> Response<Bytes> {
        if let Some(connection) = connection {
            let since = Instant::now();
            self.idle().push_back(Idle { connection, since });
        }
        answer
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn close_unused(idle: &mut VecDeque<Idle>) {
    let is_unused = |idle: &Idle| idle.since.elapsed() > IDLE;
    while idle.front().is_some_and(is_unused) {
        idle.pop_front();
    }
}

impl Connection {
    /// Sends a request. Returns the answer, and the connection if it can be reused. A request of which nothing was
    /// sent is in the error.
    async fn send(
        self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Bytes>, Option<Self>), TrySendError<Request<Full<Bytes>>>> {
        let Self {
            mut requests,
            driver,
        } = self;
        let answer = requests.try_send_request(request);
        let exchange = pin!(async move {
            let (head, body) = answer.await?.into_parts();
            let body = Limited::new(body, ANSWER_LIMIT).collect().await;
            let body = body.map(|body| body.to_bytes()).unwrap_or_default();
            let is_reusable = requests.ready().await.is_ok();
            let answer = Response::from_parts(head, body);
            Ok((answer, is_reusable.then_some(requests)))
        });
        match select(driver, exchange).await {
            Either::Left((_closed, exchange)) => exchange.await.map(|(answer, _)| (answer, None)),
            Either::Right((answered, driver)) => {
                let (answer, requests) = answered?;
                let connection = requests.map(|requests| Self { requests, driver });
                Ok((answer, connection))
            }
        }
    }
}
