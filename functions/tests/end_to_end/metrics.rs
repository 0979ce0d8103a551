//! The notifier's output. The notifier runs by itself beside a stack, so that the test reads its output
//! as Lambda does.

use std::{process::Stdio, sync::Arc};

use axum::{
    Router,
    routing::{get, post},
};
use herald_testkit::local_only;
use serde_json::{Value, json};
use tokio::{
    io::AsyncReadExt,
    net::TcpListener,
    process::{Child, Command},
    sync::Notify,
};

use crate::harness::TestStack;

#[local_only("runs a notifier beside the stack")]
#[tokio::test]
async fn invocation_prints_metrics_and_one_log_line_before_its_answer() {
    let stack = TestStack::start().await;
    let mut clients = [stack.client().await, stack.client().await];
    for client in &mut clients {
        client.subscribe("order-1").await;
    }
    let runtime_api = RuntimeApi::start(sqs_event()).await;
    let mut notifier = spawn_notifier(&stack, &runtime_api.address);
    tokio::select! {
        () = runtime_api.answered.notified() => {}
        ended = notifier.wait() => panic!("the notifier ended without an answer: {ended:?}"),
    }
    notifier.start_kill().unwrap();
    let lines = output(&mut notifier).await;
    for client in &mut clients {
        assert_eq!(client.frame().await["message"], "hello");
    }
    stack.stop().await;

    let [log, metrics] = &lines[..] else {
        panic!("two lines, not {lines:#?}");
    };
    let fields = &log["fields"];
    assert_eq!(fields["message"], "delivered a batch");
    assert_eq!(
        (&fields["records"], &fields["failed"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(log["span"]["requestId"], "r-1");
    assert_eq!(metrics["FunctionName"], "stack-Notifier");
    let namespace = &metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"];
    assert_eq!(namespace, "Herald");
    for (name, logged, count) in [
        ("AudienceSize", "audience", 2),
        ("Delivered", "delivered", 2),
        ("Gone", "gone", 0),
        ("Throttled", "throttled", 0),
        ("Retried", "retried", 0),
        ("Requeued", "requeued", 0),
        ("DeadLettered", "dead_lettered", 1),
        ("Continuations", "continuations", 0),
    ] {
        assert_eq!(
            (&metrics[name], &fields[logged]),
            (&json!(count), &json!(count)),
            "{name}"
        );
    }
    assert_eq!(metrics["Lag"].as_array().map(Vec::len), Some(1));
}

/// Returns a batch of an event and a record that is not one.
fn sqs_event() -> Value {
    let event = json!({
        "version": "0",
        "id": "e-1",
        "detail-type": "Entity Updated",
        "source": "test",
        "time": "2026-11-20T10:15:30Z",
        "detail": {"entityId": "order-1", "message": "hello"},
    });
    json!({"Records": [
        {"messageId": "m-1", "body": event.to_string()},
        {"messageId": "m-2", "body": "no push"},
    ]})
}

/// Starts the notifier like Lambda, with the tables, queues and sockets of a stack.
fn spawn_notifier(stack: &TestStack, runtime_api: &str) -> Child {
    let addresses = stack.running().addresses();
    let management = addresses.web_socket.replacen("ws://", "http://", 1);
    Command::new(env!("CARGO_BIN_EXE_notifier"))
        .env_clear()
        .envs([
            ("AWS_LAMBDA_FUNCTION_NAME", "stack-Notifier"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_LAMBDA_RUNTIME_API", runtime_api),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL", &addresses.endpoint),
            ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", &management),
            ("TABLE_NAME", &addresses.tables["Table"]),
            (
                "NOTIFICATION_QUEUE_URL",
                &addresses.queues["NotificationQueue"],
            ),
            (
                "NOTIFICATION_DEAD_LETTER_QUEUE_URL",
                &addresses.queues["NotificationDeadLetterQueue"],
            ),
            ("POSTS_PER_SECOND", "10000"),
            ("DELIVERY_ATTEMPTS", "6"),
            ("NOTIFICATION_RECEIVES", "8"),
            ("HISTORY_TABLE_NAME", &addresses.tables["HistoryTable"]),
            ("HISTORY", "{}"),
            ("RECOVER_SECONDS", "300"),
            ("PRESENCE", "{}"),
            ("BACKEND_EVENTS", "{}"),
        ])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Returns all lines of the output without errors. Every line is JSON.
async fn output(notifier: &mut Child) -> Vec<Value> {
    let mut text = String::new();
    let mut stdout = notifier.stdout.take().unwrap();
    stdout.read_to_string(&mut text).await.unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &Value| line["level"] != "ERROR")
        .collect()
}

/// Lambda's Runtime API with a single invocation.
struct RuntimeApi {
    address: String,
    answered: Arc<Notify>,
}

impl RuntimeApi {
    async fn start(event: Value) -> Self {
        let answered = Arc::new(Notify::new());
        let answer = answered.clone();
        let asked = Arc::new(tokio::sync::Mutex::new(Some(event)));
        let next = async move || match asked.lock().await.take() {
            Some(event) => {
                let headers = [
                    ("lambda-runtime-aws-request-id", "r-1"),
                    ("lambda-runtime-deadline-ms", "32503680000000"),
                    ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:x"),
                ];
                (headers, event.to_string())
            }
            None => std::future::pending().await,
        };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route(
                "/2018-06-01/runtime/invocation/r-1/response",
                post(async move || answer.notify_one()),
            );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { address, answered }
    }
}
