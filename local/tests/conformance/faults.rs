//! The fault `notifier-dies-after`: the process behind a call dies after it, and before its answer.

use std::{fs, os::unix::fs::symlink};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_apigatewaymanagement::primitives::Blob;
use aws_sdk_dynamodb::{
    config::{Credentials, SharedCredentialsProvider},
    types::AttributeValue,
};
use futures_util::StreamExt;
use herald_local::{
    Config, Functions, RunningStack,
    faults::{DiesAfter, Step},
    lambda::{Invocation, Invoke},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_tungstenite::connect_async;

use crate::{
    processes::{runs, until},
    programs::example,
};

/// A template with the tables of a notifier, a function behind a queue and one that is not.
const TEMPLATE: &str = "
Resources:
  Api:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      RouteSelectionExpression: $request.body.action
      StageName: dev
      Routes: { $connect: { FunctionArn: !GetAtt Route.Arn } }
  Notifier: &function
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: caller } }
    Properties:
      CodeUri: .
      Runtime: provided.al2023
      Policies:
        - Statement:
            - { Effect: Allow, Action: ['dynamodb:*', 'sqs:*', 'execute-api:*'], Resource: '*' }
  Route: *function
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: { EventSourceArn: !GetAtt Queue.Arn, FunctionName: !Ref Notifier }
  Queue: { Type: AWS::SQS::Queue }
  Table: &table
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: pk, AttributeType: S }]
      KeySchema: [{ AttributeName: pk, KeyType: HASH }]
  HistoryTable: *table
";

#[tokio::test]
async fn process_dies_after_its_call_of_each_step_and_the_call_is_applied() {
    let stack = TestStack::start().await;
    let (socket, _) = connect_async(&stack.running.addresses().web_socket)
        .await
        .unwrap();
    let connection = stack.running.gateway().open_connections()[0]
        .connection_id
        .clone();
    for step in Step::ALL {
        let caller = stack.caller("Notifier").await;
        for other in Step::ALL.into_iter().filter(|&other| other != step) {
            stack.die_after(other);
            stack.call(&caller.aws, step, &connection).await;
            assert!(runs(caller.process), "{step:?} at the fault of {other:?}");
        }
        stack.die_after(step);
        stack.call(&caller.aws, step, &connection).await;
        assert!(!runs(caller.process), "{step:?}");
        assert_eq!(stack.running.crashes().killed_after(step), 1);
    }
    for table in ["HistoryTable", "Table"] {
        let scan = stack.tables().scan().table_name(stack.table(table));
        let expected = if table == "Table" { 0 } else { 2 };
        assert_eq!(scan.send().await.unwrap().count(), expected, "{table}");
    }
    // One under the fault of each other step, and the one after which its sender died.
    let texts = socket.take(Step::ALL.len()).collect::<Vec<_>>().await;
    assert!(texts.iter().all(Result::is_ok), "{texts:?}");
    stack.running.shutdown().await;
}

#[tokio::test]
async fn process_that_is_not_behind_a_queue_does_not_die() {
    let stack = TestStack::start().await;
    stack.die_after(Step::Counter);
    let caller = stack.caller("Route").await;
    stack.call(&caller.aws, Step::Counter, "").await;
    assert!(runs(caller.process));
    stack.running.shutdown().await;
}

#[tokio::test]
async fn only_the_calling_process_of_a_function_dies() {
    let stack = TestStack::start().await;
    let host = stack.running.functions().unwrap();
    let arrived = stack.folder.path().join("arrived");
    let event = json!({"do": "meet", "arrived": arrived, "gate": "/never"}).to_string();
    let busy = tokio::spawn({
        let host = host.clone();
        async move { host.invoke("Notifier", event.into()).await }
    });
    until(|| arrived.exists()).await;
    let caller = stack.caller("Notifier").await;
    let other = host.process_ids("Notifier");
    let other = *other.iter().find(|&&id| id != caller.process).unwrap();
    stack.die_after(Step::Counter);
    stack.call(&caller.aws, Step::Counter, "").await;
    assert_eq!((runs(caller.process), runs(other)), (false, true));
    busy.abort();
    stack.running.shutdown().await;
}

/// A function process, and an SDK configuration with its credentials.
struct Caller {
    process: u32,
    aws: SdkConfig,
}

struct TestStack {
    running: RunningStack,
    folder: TempDir,
}

impl TestStack {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("template.yaml");
        fs::write(&file, TEMPLATE).unwrap();
        symlink(example("scripted_function"), folder.path().join("caller")).unwrap();
        let config = Config::new(file, Functions::Prebuilt(folder.path().to_owned()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            running: RunningStack::start(listener, config).await.unwrap(),
            folder,
        }
    }

    /// Lets a process die after every call of this step.
    fn die_after(&self, step: Step) {
        let shares = DiesAfter::default().with(step, 1.0);
        self.running.crashes().set(shares);
    }

    /// Returns a process of a function.
    async fn caller(&self, function: &str) -> Caller {
        let host = self.running.functions().unwrap();
        let invoke = async |event: &str| {
            let event = json!({"do": event}).to_string();
            match host.invoke(function, event.into()).await {
                Invocation::Returned(answer) => answer,
                failed => panic!("{failed:?}"),
            }
        };
        let variables = invoke("variables").await;
        let variables: Vec<(String, String)> = serde_json::from_slice(&variables).unwrap();
        let variable = |name: &str| {
            let mut variables = variables.iter();
            let variable = variables.find(|(known, _)| known == name);
            variable.map(|(_, value)| value.clone())
        };
        let credentials = Credentials::new(
            variable("AWS_ACCESS_KEY_ID").unwrap(),
            variable("AWS_SECRET_ACCESS_KEY").unwrap(),
            variable("AWS_SESSION_TOKEN"),
            None,
            "the function's environment",
        );
        let process = invoke("pid").await;
        Caller {
            process: serde_json::from_slice(&process).unwrap(),
            aws: self.config(credentials),
        }
    }

    fn config(&self, credentials: Credentials) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(&self.running.addresses().endpoint)
            .build()
    }

    fn tables(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config(Credentials::for_tests()))
    }

    fn table(&self, logical_id: &str) -> &str {
        &self.running.addresses().tables[logical_id]
    }

    /// Makes the call of a step.
    async fn call(&self, aws: &SdkConfig, step: Step, connection: &str) {
        let tables = aws_sdk_dynamodb::Client::new(aws);
        let text = |text: &str| AttributeValue::S(text.to_owned());
        match step {
            Step::Counter => {
                let update = tables.update_item().table_name(self.table("HistoryTable"));
                update.key("pk", text("head")).send().await.unwrap();
            }
            Step::Row => {
                let put = tables.put_item().table_name(self.table("HistoryTable"));
                put.item("pk", text("row")).send().await.unwrap();
            }
            Step::Audience => {
                let query = tables.query().table_name(self.table("Table"));
                let query = query.key_condition_expression("pk = :pk");
                let query = query.expression_attribute_values(":pk", text("order-1"));
                query.send().await.unwrap();
            }
            Step::Post => {
                let endpoint = &self.running.addresses().endpoint;
                let config = aws_sdk_apigatewaymanagement::config::Builder::from(aws)
                    .endpoint_url(format!("{endpoint}/dev"))
                    .build();
                let post = aws_sdk_apigatewaymanagement::Client::from_conf(config)
                    .post_to_connection()
                    .connection_id(connection)
                    .data(Blob::new("a post"));
                post.send().await.unwrap();
            }
        }
    }
}
