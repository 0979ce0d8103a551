//! The services of the function: DynamoDB with the logs, the notification queue, and Secrets Manager with the
//! keys. They are one server over TLS, on a thread of its own.

use std::{convert::Infallible, sync::Arc, thread};

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    body::{Body, to_bytes},
    http::{Request, Response},
};
use herald_benches::identity::TlsIdentity;
use herald_local::{
    dynamodb::DynamoDb,
    faults::Faults,
    template::{Stack, Table},
};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime};
use tokio_rustls::TlsAcceptor;

/// The only key.
pub(crate) const KEY: &str = "hk_k1aaaaaaaaaa_0123456789abcdefABCDEF0123456789abcdefABCDE";

/// The services, which run as long as the program.
pub(crate) struct Services {
    /// The AWS endpoint of all services.
    pub(crate) endpoint: String,
    /// The identity of the servers.
    pub(crate) identity: TlsIdentity,
}

impl Services {
    /// Starts the services with the tables of the template.
    pub(crate) fn start(stack: &Stack) -> anyhow::Result<Self> {
        let identity = TlsIdentity::make()?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let endpoint = format!("https://{}", listener.local_addr()?);
        let acceptor = identity.acceptor()?;
        let tables = stack.tables.clone();
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::spawn(move || runtime.block_on(serve(listener, acceptor, tables)));
        Ok(Self { endpoint, identity })
    }
}

async fn serve(
    listener: std::net::TcpListener,
    acceptor: TlsAcceptor,
    tables: Vec<Table>,
) -> anyhow::Result<()> {
    let dynamodb = Arc::new(DynamoDb::start(None, &tables, &Faults::default()).await?);
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (acceptor, dynamodb) = (acceptor.clone(), dynamodb.clone());
        tokio::spawn(async move {
            let stream = TokioIo::new(acceptor.accept(stream).await?);
            let answer = service_fn(|request: Request<hyper::body::Incoming>| {
                answer(request.map(Body::new), &dynamodb)
            });
            http1::Builder::new()
                .serve_connection(stream, answer)
                .await?;
            anyhow::Ok(())
        });
    }
}

async fn answer(request: Request<Body>, dynamodb: &DynamoDb) -> Result<Response<Body>, Infallible> {
    let target = request.headers().get("x-amz-target");
    let target = target.and_then(|target| target.to_str().ok());
    let answer = match target.unwrap_or_default() {
        "AmazonSQS.SendMessageBatch" => enqueued(request).await,
        "secretsmanager.GetSecretValue" => keys(),
        _ => {
            let forwarded = dynamodb.forward(request).await;
            return Ok(forwarded.unwrap_or_else(|error| {
                let mut response = Response::new(Body::from(error.to_string()));
                *response.status_mut() = axum::http::StatusCode::BAD_GATEWAY;
                response
            }));
        }
    };
    Ok(Response::new(Body::from(answer.to_string())))
}

/// Returns the answer of SQS to a batch, which is dropped.
async fn enqueued(request: Request<Body>) -> Value {
    let body = to_bytes(request.into_body(), usize::MAX).await;
    let batch: Value = serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default();
    let entries = batch["Entries"].as_array().cloned().unwrap_or_default();
    let accepted =
        |entry: Value| json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": ""});
    let successful: Vec<_> = entries.into_iter().map(accepted).collect();
    json!({"Successful": successful, "Failed": []})
}

fn keys() -> Value {
    let mut parts = KEY.splitn(3, '_').skip(1);
    let (id, secret) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let sha256 = digest(&SHA256, secret.as_bytes());
    let sha256: String = sha256
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let keys = json!({id: {"sha256": sha256, "may": {"**": ["publish"]}}});
    json!({"Name": "PublishKeySecret", "SecretString": keys.to_string()})
}
