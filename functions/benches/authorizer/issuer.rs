//! An issuer and a Secrets Manager in one, over TLS, on a thread of their own.

use std::{convert::Infallible, fs, sync::Arc, thread};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rcgen::{CertifiedKey, KeyPair};
use serde_json::json;
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use crate::tokens::{SECRET, Signer};

/// The certificate authorities of the machine. A function loads as many on Lambda.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The servers, which run as long as the program.
pub(crate) struct Issuer {
    /// The issuer's name and the URL of both servers.
    pub(crate) name: String,
    folder: TempDir,
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
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let folder = tempfile::tempdir()?;
        let system = fs::read_to_string(SYSTEM_AUTHORITIES).unwrap_or_default();
        fs::write(
            folder.path().join("authorities.pem"),
            system + &made.cert.pem(),
        )?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let name = format!("https://{}", listener.local_addr()?);
        let answers = Arc::new(Answers {
            discovery: json!({"issuer": name, "jwks_uri": format!("{name}/keys")}).to_string(),
            key_set: signer.key_set().to_string(),
            secret: json!({"Name": "TokenSecret", "SecretString": SECRET}).to_string(),
        });
        let acceptor = acceptor(made)?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::spawn(move || runtime.block_on(serve(listener, acceptor, answers)));
        Ok(Self { name, folder })
    }

    /// Returns the path of the file with the authorities that the authorizer must trust.
    pub(crate) fn authorities(&self) -> String {
        let file = self.folder.path().join("authorities.pem");
        file.display().to_string()
    }
}

fn acceptor(made: CertifiedKey<KeyPair>) -> anyhow::Result<TlsAcceptor> {
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
    let key = key.map_err(anyhow::Error::msg).context("the key")?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
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
