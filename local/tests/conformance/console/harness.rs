//! A stack for tests of the console, and requests to it.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use axum::http::{Method, StatusCode};
use herald_local::{
    Config, Functions, RunningStack,
    lambda::{Invocation, Invoke},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::connect_async;

use super::watcher::Watcher;
use crate::{
    authentication::harness::{Answer, send},
    gateway::harness::Socket,
    programs::{example, function_binaries, template},
};

/// A function that accepts every connection, and queues that no function reads.
const TEMPLATE: &str = "
Resources:
  Api:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      RouteSelectionExpression: $request.body.action
      StageName: dev
      Routes:
        $connect: { FunctionArn: !GetAtt Function.Arn }
        $default: { FunctionArn: !GetAtt Function.Arn }
  Function:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: function } }
    Properties: { CodeUri: ., Runtime: provided.al2023, Timeout: 1 }
  Work:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 0
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 1 }
  Dead: { Type: AWS::SQS::Queue }
  Undelivered: { Type: AWS::SQS::Queue }
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: { source: [shop] }
      Targets:
        - Id: work
          Arn: !GetAtt Work.Arn
          DeadLetterConfig: { Arn: !GetAtt Undelivered.Arn }
";

/// A running stack.
pub struct TestStack {
    pub running: RunningStack,
    _folder: TempDir,
}

impl TestStack {
    /// Starts the stack of the template above, which records nothing but the requests of a test.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts the same stack with a changed configuration.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let template = folder.path().join("template.yaml");
        fs::write(&template, TEMPLATE).unwrap();
        let function = folder.path().join("function");
        symlink(example("scripted_function"), function).unwrap();
        Self::run(template, folder, change).await
    }

    /// Starts the stack of the repository's own template.
    pub async fn of_repository() -> Self {
        Self::run(template(), function_binaries(), |_| {}).await
    }

    async fn run(template: PathBuf, folder: TempDir, change: impl FnOnce(&mut Config)) -> Self {
        let functions = Functions::Prebuilt(folder.path().to_owned());
        let mut config = Config::new(template, functions);
        change(&mut config);
        Self {
            running: herald_testkit::start(config).await.unwrap(),
            _folder: folder,
        }
    }

    pub fn endpoint(&self) -> &str {
        &self.running.addresses().endpoint
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[]).await
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        send(method, &format!("{}{path}", self.endpoint()), headers, "").await
    }

    /// Calls an operation of AWS as the page does: `AmazonSQS.SendMessage`.
    pub async fn call(&self, operation: &str, input: Value) -> Value {
        let headers = [("x-amz-target", operation)];
        let input = input.to_string();
        let answer = send(Method::POST, self.endpoint(), &headers, &input).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()
    }

    /// Sends a message to a queue by its logical id, and returns the message's id.
    pub async fn send_message(&self, queue: &str, body: &str) -> String {
        let url = &self.running.addresses().queues[queue];
        let input = json!({"QueueUrl": url, "MessageBody": body});
        let sent = self.call("AmazonSQS.SendMessage", input).await;
        sent["MessageId"].as_str().unwrap().to_owned()
    }

    /// Receives the visible messages of a queue.
    pub async fn receive(&self, queue: &str) -> Value {
        let url = &self.running.addresses().queues[queue];
        let input = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
        self.call("AmazonSQS.ReceiveMessage", input).await
    }

    /// Returns the console's description of a queue.
    pub async fn queue(&self, logical_id: &str) -> Value {
        let queues = self.get("/console/queues").await.json();
        let queues = queues["queues"].as_array().unwrap().iter();
        let mut queues = queues.filter(|queue| queue["logicalId"] == logical_id);
        queues.next().unwrap().clone()
    }

    pub async fn connect(&self) -> Socket {
        let url = &self.running.addresses().web_socket;
        connect_async(url).await.unwrap().0
    }

    /// Invokes the function.
    pub async fn invoke(&self, event: Value) -> Invocation {
        let host = self.running.functions().unwrap();
        host.invoke("Function", event.to_string().into()).await
    }

    /// Watches from the oldest record.
    pub async fn watch(&self) -> Watcher {
        self.watch_after(None).await
    }

    /// Watches as a browser that reconnects after this event.
    pub async fn watch_after(&self, last_event_id: Option<&str>) -> Watcher {
        Watcher::start(self.endpoint(), last_event_id).await
    }
}
