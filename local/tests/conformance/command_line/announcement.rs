//! The output of a started stack.

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use rustix::process::Signal;

use super::harness::{Run, Stack};

#[tokio::test]
async fn json_is_one_line_with_every_address_and_logs_are_on_standard_error() {
    let stack = Stack::start(&[]).await;
    let keys: Vec<_> = stack.addresses.as_object().unwrap().keys().collect();
    let expected = [
        "authentication",
        "buses",
        "console",
        "endpoint",
        "functionUrls",
        "queues",
        "tables",
        "webSocket",
    ];
    assert_eq!(keys, expected);
    assert_eq!(stack.addresses["tables"]["Table"], "herald-local-Table");
    drop(stack.connect().await);

    let ended = stack.run.end_with(Signal::TERM).await;
    assert_eq!(ended.output, "");
    let log = ended.errors;
    assert!(log.contains("function invoked"), "{log}");
    assert!(log.contains("herald-local: stopping"), "{log}");
}

#[tokio::test]
async fn printed_addresses_answer() {
    let stack = Stack::start(&[]).await;
    let text = page(stack.address("console")).await;
    assert!(text.contains(stack.address("webSocket")), "{text}");
    stack.connect().await;
}

#[tokio::test]
async fn text_says_whether_audiences_have_logs() {
    for (history, expected) in [
        (
            "{}",
            "\nNo audience has a log, so clients miss what is pushed while they are away.",
        ),
        (
            r#"{"a":{"last":true}}"#,
            "\nAudiences have logs: History={\"a\":{\"last\":true}}. The console shows them,",
        ),
    ] {
        let mut run = Run::start(&["--parameter", &format!("History={history}")]);
        let mut text = String::new();
        while !text.contains("put-events") {
            text += &run.line().await;
        }
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn text_names_presence_and_rules() {
    let rules = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/order-shipped.yaml"
    );
    let presence = r#"Presence={"room:*":{}}"#;
    let mut run = Run::start(&["--parameter", presence, "--rules", rules]);
    let mut text = String::new();
    while !text.contains("put-events") {
        text += &run.line().await;
    }
    for expected in [
        "  rule          herald-local-NotificationRule\n",
        "  rule          order-shipped-OrderShipped\n",
        "\nSubscribers of some entities are members: Presence={\"room:*\":{}}. The console shows them.\n",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
}

#[tokio::test]
async fn text_and_json_have_the_injected_faults() {
    let faults = ["--fault", "gone=0.1", "--fault", "post-delay=20ms"];
    let stack = Stack::start(&faults).await;
    let expected = serde_json::json!(["gone=0.1", "post-delay=20ms"]);
    assert_eq!(stack.addresses["faults"], expected);
    let text = page(stack.address("console")).await;
    let line = "\nInjected faults: gone=0.1, post-delay=20ms\n";
    assert!(text.contains(line), "{text}");
}

#[tokio::test]
async fn text_has_addresses_resources_that_are_not_run_and_first_steps() {
    let mut run = Run::start(&[]);
    let mut text = String::new();
    while !text.contains("put-events") {
        text += &run.line().await;
    }
    let (_, address) = text.split_once("ws://").unwrap();
    let (address, _) = address.split_once("/dev\n").unwrap();
    for expected in [
        format!("  AWS endpoint  http://{address}\n"),
        "  table         herald-local-Table\n".to_owned(),
        "\nClients need no token and have no user id: --auth open. ".to_owned(),
        format!("http://{address}/123456789012/herald-local-NotificationQueue\n"),
        "Not run here: AWS::SQS::QueuePolicy (NotificationQueuePolicy, ".to_owned(),
        format!(
            "\n  cargo run -p herald-cli -- tail order-1 --endpoint http://{address}\n  \
             cargo run -p herald-cli -- publish --entity order-1 '{{\"state\":\"shipped\"}}' --endpoint \
             http://{address}\n"
        ),
        format!("\n  npx wscat -c ws://{address}/dev -x '{{\"action\":\"subscribe\","),
        format!(
            "\n  export AWS_ENDPOINT_URL=http://{address} AWS_DEFAULT_REGION=us-east-1 AWS_REGION=us-east-1 \
             AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local\n"
        ),
        "\n  aws events put-events --entries file://events/entity-updated.json\n".to_owned(),
    ] {
        assert!(text.contains(&expected), "{expected} is not in {text}");
    }
    assert_eq!(page(&format!("http://{address}/")).await, text);
    assert_eq!(run.end_with(Signal::TERM).await.output, "");
}

/// Without parameters everything is served over HTTP, and the text has a command for it.
#[tokio::test]
async fn text_has_function_urls_and_the_commands_that_publish_over_http() {
    let mut run = Run::start(&[]);
    let mut text = String::new();
    while !text.contains("put-events") {
        text += &run.line().await;
    }
    let (before, _) = text.split_once(" (PublishFunctionUrl)\n").unwrap();
    let (_, url) = before.rsplit_once("  function URL  ").unwrap();
    assert!(text.contains(" (PollFunctionUrl)\n"), "{text}");
    for expected in [
        "\n  KEY=$(cargo run -p herald-cli -- key create --endpoint http://127.0.0.1:".to_owned(),
        format!("\n  curl {url} -H \"Authorization: Bearer $KEY\" "),
    ] {
        assert!(text.contains(&expected), "{expected} is not in {text}");
    }
    run.end_with(Signal::TERM).await;
}

#[tokio::test]
async fn parameters_turn_publishing_and_polling_over_http_off() {
    let arguments = ["--parameter", "PublishKeys=", "--parameter", "Poll=off"];
    let stack = Stack::start(&arguments).await;
    assert_eq!(stack.addresses["functionUrls"], serde_json::json!({}));
}

#[tokio::test]
async fn help_and_version_are_printed_on_standard_output() {
    for (argument, expected) in [
        ("--help", "Usage: herald-local"),
        ("--version", "herald-local "),
    ] {
        let ended = Run::start(&[argument]).end().await;
        assert!(ended.status.success());
        assert!(ended.output.contains(expected), "{}", ended.output);
        assert_eq!(ended.errors, "");
    }
}

/// Returns the page at an address.
async fn page(url: &str) -> String {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let response = client.get(url.parse().unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.into()).unwrap()
}
