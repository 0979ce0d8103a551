//! A stack with one function of few permissions, called with that function's credentials.

use std::{collections::HashMap, fmt::Debug, fs, os::unix::fs::symlink};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    config::Credentials,
    error::{ProvideErrorMetadata, SdkError},
};
use herald_local::{
    Config, Functions, RunningStack,
    iam::Revoked,
    lambda::{Invocation, Invoke},
};
use herald_testkit::sdk_config_of;
use serde_json::json;
use tempfile::TempDir;

use crate::programs::example;

/// A template with two tables, two queues and a function that may use one of each, and the index of
/// the other table.
pub const TEMPLATE: &str = "
Resources:
  Api:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      RouteSelectionExpression: $request.body.action
      StageName: dev
      Routes: { $connect: { FunctionArn: !GetAtt Caller.Arn } }
  Caller:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: caller } }
    Properties:
      CodeUri: .
      Runtime: provided.al2023
      Policies:
        - DynamoDBWritePolicy: { TableName: !Ref Rows }
        - Statement:
            - Effect: Allow
              Action: [dynamodb:Query, dynamodb:DeleteItem]
              Resource: [!GetAtt Rows.Arn, !Sub '${Others.Arn}/index/*']
            - { Effect: Deny, Action: 'dynamodb:Delete*', Resource: '*' }
            - Effect: Allow
              Action: sqs:SendMessage
              Resource: !GetAtt Queue.Arn
            - Effect: Allow
              Action: events:PutEvents
              Resource: !GetAtt Bus.Arn
            - Effect: Allow
              Action: execute-api:ManageConnections
              Resource: !Sub arn:aws:execute-api:*:*:${Api}/dev/POST/@connections/*
  Rows: &table
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: pk, AttributeType: S }]
      KeySchema: [{ AttributeName: pk, KeyType: HASH }]
      GlobalSecondaryIndexes:
        - IndexName: again
          KeySchema: [{ AttributeName: pk, KeyType: HASH }]
          Projection: { ProjectionType: KEYS_ONLY }
  Others: *table
  Queue: { Type: AWS::SQS::Queue }
  OtherQueue: { Type: AWS::SQS::Queue }
  Bus: { Type: AWS::Events::EventBus, Properties: { Name: orders } }
";

/// The function's identity.
pub const USER: &str =
    "arn:aws:sts::123456789012:assumed-role/herald-local-CallerRole/herald-local-Caller";

/// Returns status, code and message of a refusal of a call that no policy allows.
pub fn refused(status: u16, action: &str, service: &str, resource: &str) -> (u16, String, String) {
    let message = format!(
        "User: {USER} is not authorized to perform: {action} on resource: \
         arn:aws:{service}:us-east-1:123456789012:{resource} because no identity-based policy allows \
         the {action} action"
    );
    (status, "AccessDeniedException".to_owned(), message)
}

pub fn refusal<E: ProvideErrorMetadata + Debug>(error: &SdkError<E>) -> (u16, String, String) {
    let answer = error.raw_response().unwrap_or_else(|| panic!("{error:?}"));
    (
        answer.status().as_u16(),
        error.code().unwrap().to_owned(),
        error.message().unwrap().to_owned(),
    )
}

/// A stack of [`TEMPLATE`], and an SDK configuration with the credentials of its function.
pub struct TestStack {
    pub running: RunningStack,
    pub of_function: SdkConfig,
    _folder: TempDir,
}

impl TestStack {
    pub async fn start() -> Self {
        Self::start_without(vec![]).await
    }

    pub async fn start_without(revoked: Vec<Revoked>) -> Self {
        Self::try_start(TEMPLATE, revoked).await.unwrap()
    }

    pub async fn try_start(template: &str, revoked: Vec<Revoked>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("template.yaml");
        fs::write(&file, template)?;
        symlink(example("scripted_function"), folder.path().join("caller"))?;
        let mut config = Config::new(file, Functions::Prebuilt(folder.path().to_owned()));
        config.faults.revoked = revoked;
        let running = herald_testkit::start(config).await?;
        let credentials = credentials_of_function(&running).await;
        let of_function = sdk_config_of(&running.addresses().endpoint, credentials);
        Ok(Self {
            running,
            of_function,
            _folder: folder,
        })
    }

    pub async fn stop(self) {
        self.running.shutdown().await;
    }

    pub fn config(&self, credentials: Credentials) -> SdkConfig {
        sdk_config_of(&self.running.addresses().endpoint, credentials)
    }

    pub fn table(&self, logical_id: &str) -> String {
        self.running.addresses().tables[logical_id].clone()
    }
}

/// Returns the credentials in the function's environment.
async fn credentials_of_function(running: &RunningStack) -> Credentials {
    let host = running.functions().unwrap();
    let event = json!({"do": "variables"}).to_string();
    let Invocation::Returned(variables) = host.invoke("Caller", event.into()).await else {
        panic!("the function did not return its variables");
    };
    let variables: Vec<(String, String)> = serde_json::from_slice(&variables).unwrap();
    let variables: HashMap<_, _> = variables.into_iter().collect();
    Credentials::new(
        &variables["AWS_ACCESS_KEY_ID"],
        &variables["AWS_SECRET_ACCESS_KEY"],
        Some(variables["AWS_SESSION_TOKEN"].clone()),
        None,
        "the function's environment",
    )
}
