//! The first attempt to connect: `connect` fails with its error, and `start` goes on.

use std::{error::Error, io, time::Duration};

use futures_util::FutureExt;
use herald_client::{
    AttemptError, Client, ConnectError, ConnectionState, Message, Options, StopReason,
};
use tokio::net::TcpListener;
use tracing::{Event, Metadata, Subscriber, span};

use crate::{harness::in_time, scripted_server::ScriptedServer};

fn fast_retries() -> Options {
    Options::new().back_off(Duration::from_millis(1), Duration::from_millis(10))
}

async fn connect_error(address: &str, options: Options) -> ConnectError {
    let connected = in_time("the attempt failed", Client::connect(address, options)).await;
    connected.expect_err("no connection")
}

#[tokio::test]
async fn connect_fails_with_the_status_of_a_refused_handshake() {
    let server = ScriptedServer::start().await;
    let address = server.web_socket();
    let (error, _) = tokio::join!(connect_error(&address, fast_retries()), server.refuse(503));
    let refused = AttemptError::Refused { status: 503 };
    assert_eq!(error, ConnectError::Attempt(refused));
}

#[tokio::test]
async fn connect_fails_with_the_io_error_of_an_unreachable_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("ws://{}/dev", listener.local_addr().expect("an address"));
    drop(listener);
    let error = connect_error(&address, fast_retries()).await;
    let attempt = error.source().expect("the attempt's error");
    let io_error = attempt.source().expect("the socket's error");
    let io_error = io_error.downcast_ref::<io::Error>().expect("an I/O error");
    assert_eq!(io_error.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn connect_fails_when_the_handshake_times_out() {
    // It accepts connections, and never answers.
    let server = ScriptedServer::start().await;
    let options = fast_retries().connect_timeout(Duration::from_millis(50));
    let error = connect_error(&server.web_socket(), options).await;
    assert_eq!(error, ConnectError::Attempt(AttemptError::TimedOut));
}

#[tokio::test]
async fn connect_fails_when_the_token_callback_times_out() {
    let never = || std::future::pending::<io::Result<String>>();
    let options = fast_retries().token(never);
    let options = options.connect_timeout(Duration::from_millis(50));
    let error = connect_error("ws://127.0.0.1:9/dev", options).await;
    assert_eq!(error, ConnectError::Attempt(AttemptError::TimedOut));
}

#[tokio::test]
async fn connect_fails_with_the_stop_reason_if_no_attempt_can_succeed() {
    let options = fast_retries().token(|| async { Ok::<_, io::Error>("not a token") });
    let error = connect_error("ws://127.0.0.1:9/dev", options).await;
    let ConnectError::Stopped(StopReason::Invalid { reason }) = error else {
        panic!("{error:?}");
    };
    assert!(reason.contains("no header can carry"), "{reason}");
}

#[tokio::test]
async fn connect_fails_on_an_address_of_another_scheme() {
    let error = connect_error("https://example.com", Options::new()).await;
    assert!(matches!(error, ConnectError::InvalidAddress { .. }));
    let source = error.source().expect("the fault").to_string();
    assert_eq!(source, "an address must begin with `ws://` or `wss://`");
}

#[tokio::test]
async fn start_goes_on_after_failed_attempts() {
    let server = ScriptedServer::start().await;
    let client = Client::start(&server.web_socket(), fast_retries()).expect("an address");
    server.refuse(503).await;
    server.refuse(500).await;
    let mut served = server.accept().await;
    let refused = AttemptError::Refused { status: 500 };
    assert_eq!(client.last_failure(), Some(refused));
    let (reply, _) = tokio::join!(client.send(Message::echo(1)), served.acknowledge());
    assert!(reply.is_ok());
}

/// A subscriber that panics in the client's task, as an application's may.
struct PanickingSubscriber;

impl Subscriber for PanickingSubscriber {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "herald_client::driver::reports"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {
        panic!("a fault of the application's");
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

// The test's runtime has one thread, so the client's task has this thread's subscriber.
#[tokio::test]
async fn connect_fails_with_the_panic_of_the_clients_task() {
    let _subscriber = tracing::subscriber::set_default(PanickingSubscriber);
    let error = connect_error("ws://127.0.0.1:9/dev", Options::new()).await;
    let reason = "panic: a fault of the application's".to_owned();
    assert_eq!(error, ConnectError::Stopped(StopReason::Failed { reason }));
}

#[test]
fn client_outlives_its_runtime_as_stopped() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let client = {
        let _inside = runtime.enter();
        Client::start("ws://127.0.0.1:9/dev", Options::new()).expect("an address")
    };
    drop(runtime);
    let reason = "the tokio runtime was shut down".to_owned();
    let stopped = ConnectionState::Stopped(StopReason::Failed { reason });
    assert_eq!(client.state(), stopped);
    let reply = client.send(Message::echo(1)).now_or_never();
    assert!(matches!(reply, Some(Err(_))));
}
