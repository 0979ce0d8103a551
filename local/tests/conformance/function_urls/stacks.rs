//! Whole stacks with function URLs: their addresses and their ports.

use std::{fs, os::unix::fs::symlink};

use axum::http::{Method, StatusCode};
use futures_util::future::join_all;
use herald_local::{Config, Functions, RunningStack};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{authentication::harness::send, programs::example};

/// Three functions with URLs, of which a condition removes the first.
const TEMPLATE: &str = "
Conditions: { Never: !Equals [a, b] }
Globals: { Function: { CodeUri: ., Runtime: provided.al2023 } }
Resources:
  Api:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      RouteSelectionExpression: $request.body.action
      StageName: dev
      Routes: { $connect: { FunctionArn: !GetAtt Open.Arn } }
  Absent:
    Type: AWS::Serverless::Function
    Condition: Never
    Metadata: { BuildProperties: { Binary: function } }
    Properties: { FunctionUrlConfig: { AuthType: NONE } }
  Open:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: function } }
    Properties: { FunctionUrlConfig: { AuthType: NONE } }
  Signed:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: function } }
    Properties: { Environment: { Variables: { OPEN: !GetAtt OpenUrl.FunctionUrl } } }
  Door:
    Type: AWS::Lambda::Url
    Properties: { TargetFunctionArn: !GetAtt Signed.Arn, AuthType: AWS_IAM }
Outputs:
  OpenUrl: { Value: !GetAtt OpenUrl.FunctionUrl }
  DoorUrl: { Value: !GetAtt Door.FunctionUrl }
";

struct TestStack {
    running: RunningStack,
    _folder: TempDir,
}

async fn try_start(change: impl FnOnce(&mut Config)) -> anyhow::Result<TestStack> {
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("template.yaml");
    fs::write(&template, TEMPLATE).unwrap();
    symlink(example("scripted_function"), folder.path().join("function")).unwrap();
    let mut config = Config::new(template, Functions::Prebuilt(folder.path().to_owned()));
    change(&mut config);
    Ok(TestStack {
        running: herald_testkit::start(config).await?,
        _folder: folder,
    })
}

impl TestStack {
    fn url(&self, logical_id: &str) -> &str {
        &self.running.addresses().function_urls[logical_id]
    }
}

#[tokio::test]
async fn addresses_are_those_of_the_template_and_answer() {
    let stack = try_start(|_| {}).await.unwrap();
    let addresses = stack.running.addresses();
    let ids: Vec<_> = addresses.function_urls.keys().collect();
    assert_eq!(ids, ["Door", "OpenUrl"]);
    let outputs = &stack.running.stack().outputs;
    assert_eq!(outputs["OpenUrl"], stack.url("OpenUrl"));
    assert_eq!(outputs["DoorUrl"], stack.url("Door"));
    let functions = &stack.running.stack().functions;
    let signed = functions.iter().find(|it| it.logical_id == "Signed");
    assert_eq!(signed.unwrap().environment["OPEN"], stack.url("OpenUrl"));

    let answer = send(Method::POST, stack.url("OpenUrl"), &[], "").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ""));
    let answer = send(Method::POST, stack.url("Door"), &[], "").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);

    let console = send(Method::GET, &addresses.endpoint, &[], "").await.body;
    let line = format!("  function URL  {} (OpenUrl)\n", stack.url("OpenUrl"));
    assert!(console.contains(&line), "{console}");
    let document = format!("{}/console/stack.json", addresses.endpoint);
    let document: Value = send(Method::GET, &document, &[], "").await.json();
    assert_eq!(document["functionUrls"], json!(addresses.function_urls));
    stack.running.shutdown().await;
}

#[tokio::test]
async fn burst_over_the_number_of_processes_is_answered() {
    let stack = try_start(|_| {}).await.unwrap();
    let url = stack.url("OpenUrl");
    let answers = join_all((0..64).map(|_| send(Method::POST, url, &[], ""))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    stack.running.shutdown().await;
}

/// Returns a port whose three following ports are free, or were just now.
async fn free_ports() -> u16 {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = first.local_addr().unwrap().port();
        if port > u16::MAX - 3 {
            continue;
        }
        let others = (1..3).map(|offset| TcpListener::bind(("127.0.0.1", port + offset)));
        if join_all(others)
            .await
            .into_iter()
            .all(|bound| bound.is_ok())
        {
            return port;
        }
    }
}

#[tokio::test]
async fn ports_are_those_after_the_first_by_position_in_the_template() {
    // Another program may take a port in between.
    for _ in 0..10 {
        let port = free_ports().await;
        let stack = try_start(|config| config.function_url_port = port).await;
        let stack = stack.unwrap();
        let ports = [stack.url("OpenUrl"), stack.url("Door")].map(str::to_owned);
        stack.running.shutdown().await;
        if ports == [1, 2].map(|position| format!("http://127.0.0.1:{}/", port + position)) {
            return;
        }
    }
    panic!("the ports are others");
}

#[tokio::test]
async fn port_in_use_is_replaced_by_a_free_one() {
    let occupied = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = occupied.local_addr().unwrap().port();
    let stack = try_start(|config| config.function_url_port = port - 1).await;
    let stack = stack.unwrap();
    let url = stack.url("OpenUrl");
    assert_ne!(url, format!("http://127.0.0.1:{port}/"));
    assert_eq!(
        send(Method::POST, url, &[], "").await.status,
        StatusCode::OK
    );
    stack.running.shutdown().await;
}
