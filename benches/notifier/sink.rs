//! A minimal `@connections` that accepts every post after a delay. It is a process of its own, so that
//! its processor time can be separated.

use std::{
    convert::Infallible,
    env,
    net::SocketAddr,
    path::Path,
    process::Stdio,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use herald_benches::identity::{TlsIdentity, acceptor};
use herald_shared::{
    ids::{ConnectionId, EntityId},
    store::{Listener, seed},
};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
};
use tokio_rustls::TlsAcceptor;

/// The hidden argument that makes a process of this program a sink.
pub(crate) const PROCESS: &str = "--sink-process";

/// The stage, which is the path of the management API.
const STAGE: &str = "dev";

/// A running sink, which ends when this is dropped.
pub(crate) struct Sink {
    address: SocketAddr,
    /// The address of queries, which are without TLS.
    queries: SocketAddr,
    has_identity: bool,
    _process: Child,
}

/// The posts to a sink since the last query.
#[derive(Serialize, Deserialize)]
pub(crate) struct Seen {
    /// The number of posts.
    pub(crate) posts: u64,
    /// The time from the first post's arrival to the last answer, in seconds.
    pub(crate) seconds: f64,
}

impl Sink {
    /// Starts a sink that answers after `delay`, over TLS if it has an identity.
    pub(crate) async fn start(
        delay: Duration,
        identity: Option<&TlsIdentity>,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(PROCESS).arg(delay.as_millis().to_string());
        if let Some(identity) = identity {
            command.arg(identity.certificate()).arg(identity.key());
        }
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = process.stdout.take().context("the sink has no output")?;
        let line = BufReader::new(output).lines().next_line().await?;
        let line = line.context("the sink did not start")?;
        let (address, queries) = line.split_once(' ').context("a sink has two addresses")?;
        Ok(Self {
            address: address.parse()?,
            queries: queries.parse()?,
            has_identity: identity.is_some(),
            _process: process,
        })
    }

    /// Returns the address of the sink.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL of the sink, without a path. With TLS its host is a name that the notifier must look up, as on
    /// AWS.
    pub(crate) fn origin(&self) -> String {
        let origin = match self.has_identity {
            true => "https://localhost",
            false => "http://127.0.0.1",
        };
        format!("{origin}:{}", self.address.port())
    }

    /// Returns the URL of the management API.
    pub(crate) fn management_api(&self) -> String {
        format!("{}/{STAGE}", self.origin())
    }

    /// Returns the posts since the last query.
    pub(crate) async fn seen(&self) -> anyhow::Result<Seen> {
        let stream = TcpStream::connect(self.queries).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let answer = sender
            .send_request(Request::get("/").body(String::new())?)
            .await?;
        let body = answer.into_body().collect().await?.to_bytes();
        Ok(serde_json::from_slice(&body)?)
    }
}

/// Returns the path of a post to a connection.
pub(crate) fn post_path(connection: &str) -> String {
    format!("/{STAGE}/@connections/{connection}")
}

/// Runs a sink until the process is killed. It prints its addresses first.
pub(crate) async fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let delay = arguments.first().context("no delay")?.parse()?;
    let tls = match arguments[1..] {
        [certificate, key] => Some(acceptor(Path::new(certificate), Path::new(key))?),
        _ => None,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let queries = TcpListener::bind("127.0.0.1:0").await?;
    println!("{} {}", listener.local_addr()?, queries.local_addr()?);
    let counts = Arc::new(Counts::new(Duration::from_millis(delay)));
    tokio::try_join!(
        accept(listener, tls, counts.clone()),
        accept(queries, None, counts),
    )?;
    Ok(())
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    counts: Arc<Counts>,
) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let counts = counts.clone();
        match tls.clone() {
            None => drop(tokio::spawn(serve(stream, counts))),
            Some(tls) => drop(tokio::spawn(async move {
                serve(tls.accept(stream).await?, counts).await
            })),
        }
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    counts: Arc<Counts>,
) -> anyhow::Result<()> {
    let answer = service_fn(|request| answer(request, &counts));
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .await?;
    Ok(())
}

async fn answer(
    request: Request<Incoming>,
    counts: &Counts,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() == Method::GET {
        return Ok(Response::new(Full::from(counts.take())));
    }
    if request.headers().contains_key("x-amz-target") {
        return Ok(Response::new(Full::from(ONE_SUBSCRIBER.as_str())));
    }
    counts.begin();
    // An incomplete post ends its connection, and the count shows it.
    request.into_body().collect().await.ok();
    if !counts.delay.is_zero() {
        tokio::time::sleep(counts.delay).await;
    }
    counts.end();
    Ok(accepted())
}

/// The answer to a DynamoDB query for the cold start, which must not wait for an engine.
static ONE_SUBSCRIBER: LazyLock<String> = LazyLock::new(|| {
    let row = seed::listener_row(Listener {
        connection: &ConnectionId::new("PcQeDRO4gIEm4LQ=").expect("an id"),
        entity: &EntityId::new("order-1").expect("an id"),
        change: 1,
        connected_at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_000_000),
        token_expires_at: None,
        watches: false,
    });
    let row: Map<_, _> = row
        .into_iter()
        .map(|(name, value)| (name, to_json(value)))
        .collect();
    json!({"Count": 1, "ScannedCount": 1, "Items": [row]}).to_string()
});

/// Returns an attribute of a listener row as JSON.
pub(crate) fn to_json(value: AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({"S": text}),
        AttributeValue::N(number) => json!({"N": number}),
        other => panic!("a listener row has no {other:?}"),
    }
}

/// Returns the answer of `@connections` with its headers.
fn accepted() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-amzn-requestid", "7d9f5b4c-3f6e-4c5f-9a37-1c1d4a0f5e11"),
        ("x-amz-apigw-id", "PcQeDRO4gIEm4LQ="),
        (
            "x-amzn-trace-id",
            "Root=1-65d2ff2e-718990494fd688f062bf1571",
        ),
    ] {
        let value = hyper::header::HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

struct Counts {
    delay: Duration,
    posts: AtomicU64,
    span: Mutex<Option<(Instant, Instant)>>,
}

impl Counts {
    fn new(delay: Duration) -> Self {
        Self {
            delay,
            posts: AtomicU64::new(0),
            span: Mutex::new(None),
        }
    }

    fn begin(&self) {
        let mut span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
        if span.is_none() {
            let now = Instant::now();
            *span = Some((now, now));
        }
    }

    fn end(&self) {
        self.posts.fetch_add(1, Ordering::Relaxed);
        let mut span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, last)) = span.as_mut() {
            *last = Instant::now();
        }
    }

    /// Returns the counts as JSON and resets them.
    fn take(&self) -> String {
        let mut span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = Seen {
            posts: self.posts.swap(0, Ordering::Relaxed),
            seconds: span
                .take()
                .map_or(0.0, |(first, last)| (last - first).as_secs_f64()),
        };
        json!(seen).to_string()
    }
}
