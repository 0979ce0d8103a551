//! The effects of options.

use std::{io::Write, time::Duration};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use axum::{Json, Router, extract::Path, routing::post};
use futures_util::{SinkExt, StreamExt};
use herald_testkit::sdk_config;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_tungstenite::tungstenite::Message;

use super::harness::Stack;

#[tokio::test]
async fn parameter_replaces_the_default_of_the_template() {
    let stack = Stack::start(&["--parameter", "StageName=test"]).await;
    let web_socket = stack.address("webSocket");
    assert!(web_socket.ends_with("/test"), "{web_socket}");
    stack.connect().await;
}

#[tokio::test]
async fn rows_in_a_data_file_survive_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("herald.db");
    let arguments = ["--data", data.to_str().unwrap()];
    let key = |name: &str| AttributeValue::S(name.to_owned());

    let first = Stack::start(&arguments).await;
    let put = dynamodb(&first).put_item().table_name(table(&first));
    let put = put.item("pk", key("a")).item("sk", key("b"));
    put.item("text", key("kept")).send().await.unwrap();
    first.run.end_with(Signal::TERM).await;

    let second = Stack::start(&arguments).await;
    let found = dynamodb(&second).get_item().table_name(table(&second));
    let found = found.key("pk", key("a")).key("sk", key("b"));
    let row = found.send().await.unwrap().item.unwrap();
    assert_eq!(row["text"], key("kept"));
}

#[tokio::test]
async fn functions_at_an_invoke_api_are_invoked_there() {
    let (url, mut invocations) = invoke_api().await;
    let stack = Stack::start(&["--functions", &url]).await;
    let mut socket = stack.connect().await;
    let (function, _) = invocations.recv().await.unwrap();
    assert_eq!(function, "connect");

    let message = r#"{"action":"sendMessage"}"#;
    socket.send(Message::text(message)).await.unwrap();
    let (function, event) = invocations.recv().await.unwrap();
    assert_eq!(function, "sendMessage");
    assert_eq!(event["requestContext"]["routeKey"], "sendMessage");
    let answer = socket.next().await.unwrap().unwrap();
    assert_eq!(answer, Message::text(message));

    let endpoint = stack.address("endpoint").to_owned();
    let printed = stack.run.end_with(Signal::INT).await.errors;
    for variable in [
        "TABLE_NAME=herald-local-Table".to_owned(),
        format!("AWS_ENDPOINT_URL={endpoint}"),
        format!("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI={endpoint}/dev"),
    ] {
        assert!(
            printed.contains(&format!("export {variable}\n")),
            "{printed}"
        );
    }
}

#[tokio::test]
async fn remote_function_of_another_runtime_is_invoked_by_its_logical_id() {
    let template = nodejs_template();
    let (url, mut invocations) = invoke_api().await;
    let template = template.path().to_str().unwrap();
    let stack = Stack::start(&["--functions", &url, "--template", template]).await;
    stack.connect().await;
    let (function, _) = invocations.recv().await.unwrap();
    assert_eq!(function, "Echo");
}

/// Another program may compile a function before it invokes it.
#[tokio::test]
async fn upgrade_waits_for_a_remote_function_beyond_the_integration_timeout() {
    let compiling = async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        Json(json!({ "statusCode": 200 }))
    };
    let url = serve(Router::new().fallback(compiling)).await;
    let template = nodejs_template();
    let template = template.path().to_str().unwrap();
    let stack = Stack::start(&["--functions", &url, "--template", template]).await;
    stack.connect().await;
}

/// Returns a template with a function of another runtime, for which the gateway waits 50 ms.
fn nodejs_template() -> NamedTempFile {
    let mut template = NamedTempFile::new().unwrap();
    let text = "
Resources:
  Api:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      RouteSelectionExpression: $request.body.action
      Routes: { $connect: { FunctionArn: !GetAtt Echo.Arn, IntegrationTimeout: 50 } }
  Echo:
    Type: AWS::Serverless::Function
    Properties: { Handler: index.handler, Runtime: nodejs22.x, InlineCode: '' }
";
    template.write_all(text.as_bytes()).unwrap();
    template
}

/// Serves an Invoke API whose functions allow every connection and echo every message. Returns its
/// address, and its invocations but those of authorizers.
async fn invoke_api() -> (String, mpsc::UnboundedReceiver<(String, Value)>) {
    let (sender, invocations) = mpsc::unbounded_channel();
    let invoke = async move |Path(function): Path<String>, Json(event): Json<Value>| {
        if event["type"] == "REQUEST" {
            return Json(allowed());
        }
        let body = event["body"].clone();
        sender.send((function, event)).unwrap();
        Json(json!({ "statusCode": 200, "body": body }))
    };
    let routes = Router::new().route("/2015-03-31/functions/{function}/invocations", post(invoke));
    (serve(routes).await, invocations)
}

/// Serves these routes and returns their address.
async fn serve(routes: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

/// Returns the result of an authorizer that allows the connection.
fn allowed() -> Value {
    let statement = json!({"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": "*"});
    json!({"principalId": "user", "policyDocument": {"Statement": [statement]}})
}

fn dynamodb(stack: &Stack) -> Client {
    Client::new(&sdk_config(stack.address("endpoint")))
}

fn table(stack: &Stack) -> &str {
    stack.addresses["tables"]["Table"].as_str().unwrap()
}
