//! An issuer and a Secrets Manager in one, over TLS, on a thread of their own.

use std::{convert::Infallible, sync::Arc, thread};

use bytes::Bytes;
use herald_benches::identity::TlsIdentity;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{net::TcpListener, runtime};
use tokio_rustls::TlsAcceptor;

use crate::tokens::{SECRET, Signer};

/// The servers, which run as long as the program.
pub(crate) struct Issuer {
    /// The issuer's name and the URL of both servers.
    pub(crate) name: String,
    /// The identity of the servers.
    pub(crate) identity: TlsIdentity,
}

/// The answers of the servers.
struct Answers {
    discovery: String,
    key_set: String,
    secret: String,
}

impl Issuer {
    /// Starts the servers with the keys of a signer.
    pub(crate) async fn start(signer: &Signer) -> anyhow::Result<Self> {
        let identity = TlsIdentity::make()?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let name = format!("https://{}", listener.local_addr()?);
        let answers = Arc::new(Answers {
            discovery: json!({"issuer": name, "jwks_uri": format!("{name}/keys")}).to_string(),
            key_set: signer.key_set().to_string(),
            secret: json!({"Name": "TokenSecret", "SecretString": SECRET}).to_string(),
        });
        let acceptor = identity.acceptor()?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::spawn(move || runtime.block_on(serve(listener, acceptor, answers)));
        Ok(Self { name, identity })
    }
}

async fn serve(
    listener: std::net::TcpListener,
    acceptor: TlsAcceptor,
    answers: Arc<Answers>,
) -> anyhow::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (acceptor, answers) = (acceptor.clone(), answers.clone());
        tokio::spawn(async move {
            let stream = TokioIo::new(acceptor.accept(stream).await?);
            let answer = service_fn(|request| answer(request, &answers));
            http1::Builder::new()
                .serve_connection(stream, answer)
                .await?;
            anyhow::Ok(())
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    answers: &Answers,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = match request.uri().path() {
        "/.well-known/openid-configuration" => &answers.discovery,
        "/keys" => &answers.key_set,
        _ => &answers.secret,
    };
    Ok(Response::new(Full::from(text.clone())))
}
