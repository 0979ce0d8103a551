use std::{
    future::pending,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use aws_sdk_dynamodb::{config::Region, error::SdkError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;

/// The behaviour of a server on a connection after its last answer.
#[derive(Clone, Copy, Debug)]
enum AfterAnswers {
    /// It reads on and answers no more, like a peer whose packets are lost.
    Swallow,
    /// It closes the connection.
    Close,
}

/// An AWS service that answers the first `answered` requests of each connection with `{}`.
struct Service {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Service {
    async fn start(answered: usize, then: AfterAnswers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let service = Self {
            address: listener.local_addr().expect("an address"),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let (connections, requests) = (service.connections.clone(), service.requests.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                connections.fetch_add(1, SeqCst);
                tokio::spawn(serve(socket, answered, then, requests.clone()));
            }
        });
        service
    }

    async fn config(&self, limits: Limits) -> SdkConfig {
        let credentials = Credentials::new("id", "secret", None, None, "test");
        limits
            .loader()
            .credentials_provider(credentials)
            .region(Region::new("us-east-1"))
            .endpoint_url(format!("http://{}", self.address))
            .load()
            .await
    }

    async fn dynamodb(&self, limits: Limits) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config(limits).await)
    }
}

async fn serve(
    mut socket: TcpStream,
    answered: usize,
    then: AfterAnswers,
    requests: Arc<AtomicUsize>,
) {
    for _ in 0..answered {
        if !read_request(&mut socket).await {
            return;
        }
        requests.fetch_add(1, SeqCst);
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\n\
                      content-length: 2\r\n\r\n{}";
        socket.write_all(answer.as_bytes()).await.expect("a client");
    }
    match then {
        AfterAnswers::Close => {}
        AfterAnswers::Swallow => {
            while read_request(&mut socket).await {
                requests.fetch_add(1, SeqCst);
            }
        }
    }
}

/// Reads one request, whose body is `{}`. Returns false if the connection ended.
async fn read_request(socket: &mut TcpStream) -> bool {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n{}") {
        match socket.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return false,
        }
    }
    true
}

const SHORT: Limits = Limits {
    connect: Duration::from_millis(100),
    attempt: Duration::from_millis(100),
    operation: Duration::from_millis(300),
    credentials: Duration::from_millis(100),
};

/// Long enough for an answer from loopback on a busy machine.
const PATIENT: Limits = Limits {
    attempt: Duration::from_secs(2),
    operation: Duration::from_secs(30),
    ..LIMITS
};

#[tokio::test]
async fn config_limits_every_call() {
    let config = config().await;
    let timeouts = config.timeout_config().expect("time-outs");
    assert_eq!(timeouts.connect_timeout(), Some(Duration::from_secs(1)));
    let attempt = timeouts.operation_attempt_timeout();
    assert_eq!(attempt, Some(Duration::from_secs(2)));
    let operation = timeouts.operation_timeout();
    assert_eq!(operation, Some(Duration::from_secs(6)));
}

#[tokio::test]
async fn unanswered_call_times_out() {
    let service = Service::start(0, AfterAnswers::Swallow).await;
    let config = service.config(SHORT).await;

    let table = aws_sdk_dynamodb::Client::new(&config).list_tables().send();
    let error = table.await.expect_err("no answer");
    assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");

    let queues = aws_sdk_sqs::Client::new(&config).list_queues().send();
    let error = queues.await.expect_err("no answer");
    assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");

    let secrets = aws_sdk_secretsmanager::Client::new(&config);
    let error = secrets.list_secrets().send().await.expect_err("no answer");
    assert!(matches!(error, SdkError::TimeoutError(_)), "{error:?}");
}

#[tokio::test]
async fn dead_pooled_connection_costs_one_attempt() {
    let service = Service::start(1, AfterAnswers::Swallow).await;
    let client = service.dynamodb(PATIENT).await;
    client.list_tables().send().await.expect("the first answer");
    client.list_tables().send().await.expect("a second attempt");
    assert_eq!(service.connections.load(SeqCst), 2);
    assert_eq!(service.requests.load(SeqCst), 3);
}

#[tokio::test]
async fn closed_pooled_connection_is_replaced() {
    let service = Service::start(1, AfterAnswers::Close).await;
    let client = service.dynamodb(PATIENT).await;
    for _ in 0..3 {
        client.list_tables().send().await.expect("an answer");
    }
    assert_eq!(service.connections.load(SeqCst), 3);
    assert_eq!(service.requests.load(SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn credentials_that_do_not_load_time_out() {
    #[derive(Debug)]
    struct Silent;

    impl ProvideCredentials for Silent {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(pending())
        }
    }

    let limited = Limited {
        provider: Silent,
        limit: LIMITS.credentials,
    };
    let error = limited.provide_credentials().await.expect_err("no answer");
    assert!(matches!(error, CredentialsError::ProviderTimedOut(_)));
}
