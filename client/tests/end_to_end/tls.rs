//! The client over TLS.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use herald_client::{
    Client, ConnectionState, Message, Options, StopReason,
    rustls::{
        ClientConfig, KeyLog, RootCertStore, ServerConfig, crypto::aws_lc_rs,
        pki_types::PrivateKeyDer,
    },
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::{io::copy_bidirectional, net::TcpListener, net::TcpStream, task::JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::harness::{TestStack, connect, in_time};

#[tokio::test]
async fn client_connects_over_tls_only_with_a_trusted_certificate() {
    let stack = TestStack::start().await;
    let (acceptor, trusting) = acceptor_and_trusting_config();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener, acceptor, stack.address()));

    let address = format!("wss://localhost:{port}/dev");
    let client = connect(&address, Options::new().tls(Arc::new(trusting))).await;
    assert!(
        in_time("the echo arrived", client.send(Message::echo("secret")))
            .await
            .is_ok()
    );

    let distrusting = Client::start(&address, Options::new()).expect("an address");
    let mut states = distrusting.states();
    let failed = states.wait_for(|state| *state != ConnectionState::Connecting);
    let failed = in_time("the attempt failed", failed)
        .await
        .expect("not stopped")
        .clone();
    assert!(
        matches!(failed, ConnectionState::Reconnecting { .. }),
        "{failed:?}"
    );
    stack.stop().await;
}

/// A TLS configuration's key log that panics in the handshake.
#[derive(Debug)]
struct Panicking;

impl KeyLog for Panicking {
    fn log(&self, _: &str, _: &[u8], _: &[u8]) {
        panic!("a fault of the application's");
    }
}

#[tokio::test]
async fn panic_of_the_application_in_a_handshake_fails_the_attempt_only() {
    let (acceptor, mut config) = acceptor_and_trusting_config();
    config.key_log = Arc::new(Panicking);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let options = Options::new()
        .tls(Arc::new(config))
        .back_off(Duration::from_millis(1), Duration::from_millis(10));
    let address = format!("wss://localhost:{port}/dev");
    let client = Client::start(&address, options).expect("an address");
    for _ in 0..2 {
        let accepted = in_time("the client connected", listener.accept()).await;
        let (stream, _) = accepted.expect("a client");
        assert!(acceptor.accept(stream).await.is_err());
    }
    client.close(Duration::ZERO).await;
    assert_eq!(client.state(), ConnectionState::Stopped(StopReason::Closed));
}

fn acceptor_and_trusting_config() -> (TlsAcceptor, ClientConfig) {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a key that fits");
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("a certificate");
    let trusting = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (TlsAcceptor::from(Arc::new(server)), trusting)
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, server: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        connections.spawn(async move {
            // A client that does not trust the certificate ends the handshake.
            if let Ok(mut client) = acceptor.accept(client).await {
                let mut upstream = TcpStream::connect(server).await.expect("the stack");
                let _ = copy_bidirectional(&mut client, &mut upstream).await;
            }
        });
    }
}
