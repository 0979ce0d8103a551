//! Templates with several problems: all are listed at once, in the order of the file.

use super::super::{Settings, Stack};
use super::settings;

const WRONG: &str = "\
Parameters:
  Stage: { Type: String }
  Seconds: { Type: Number, Default: soon }
Rules:
  Chosen: { Assertions: [{ Assert: !Equals [!Ref Stage, dev], AssertDescription: choose dev }] }
Conditions:
  Off: !Equals [a, b]
Resources:
  Api:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      RouteSelectionExpression: $request.body.action
      StageName: !Ref Stage
      Routes:
        $connect: { FunctionArn: !GetAtt Connect.Arn, IntegrationTimeout: 1 }
        send: { FunctionArn: !GetAtt Send.Arn }
  Connect:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: connect } }
    Properties:
      CodeUri: functions
      Runtime: nodejs22.x
      Timeout: soon
      Colour: red
      Policies:
        - S3ReadPolicy: { BucketName: b }
        - Statement: { Effect: Permit, Action: Query, Resource: '*' }
  Queue:
    Type: AWS::SQS::Queue
    Properties: { VisibilityTimeout: !Ref Seconds, FifoQueue: true, Tags: [!Ref Nope] }
  Disabled:
    Type: AWS::SQS::Queue
    Condition: Off
    Properties: { FifoQueue: true }
  Typeless: { Properties: {} }
  Table:
    Type: AWS::DynamoDB::Table
    Properties: { StreamSpecification: {} }
Outputs:
  A: { Value: !Ref Typeless }
  B: { Value: !GetAtt Queue.Colour }
";

#[test]
fn every_problem_is_listed_once_with_place_path_and_remedy() {
    let settings = Settings {
        parameters: [("Stag".to_owned(), "dev".to_owned())].into(),
        ..settings()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("template.yaml");
    std::fs::write(&file, WRONG).expect("written");
    let error = Stack::read(&file, &settings).expect_err("a wrong template");
    let listing = error
        .to_string()
        .replace(&file.display().to_string(), "template.yaml");
    assert_eq!(
        listing,
        "\
template.yaml has 18 problems:
  template.yaml:1:1: Parameters.Stag: the template has no such parameter, only Stage, Seconds
  template.yaml:2:10: Parameters.Stage: has no value: give it one with --parameter Stage=…
  template.yaml:3:12: Parameters.Seconds: must be a number, got `soon`
  template.yaml:15:75: Resources.Api.Properties.Routes.$connect.IntegrationTimeout: must be 50 to 29000 milliseconds, got 1
  template.yaml:16:30: Resources.Api.Properties.Routes.send.FunctionArn: there is no resource or parameter called Send
  template.yaml:22:16: Resources.Connect.Properties.Runtime: `nodejs22.x` is not run here: use provided.al2023, the runtime of Rust functions, or run the functions elsewhere with --functions
  template.yaml:23:16: Resources.Connect.Properties.Timeout: must be a number in range, got `soon`
  template.yaml:24:15: Resources.Connect.Properties.Colour: is not supported by the local stack: remove it, or make it conditional with !If
  template.yaml:26:25: Resources.Connect.Properties.Policies[0].S3ReadPolicy: the policy template S3ReadPolicy is not known here: list its statements instead, or use one of AWSSecretsManagerGetSecretValuePolicy, DynamoDBCrudPolicy, DynamoDBReadPolicy, DynamoDBWritePolicy, EventBridgePutEventsPolicy, SQSPollerPolicy, SQSSendMessagePolicy
  template.yaml:27:32: Resources.Connect.Properties.Policies[1].Statement.Effect: must be Allow or Deny, got `Permit`
  template.yaml:27:48: Resources.Connect.Properties.Policies[1].Statement.Action: must be an action with its service, as in dynamodb:Query, got `Query`
  template.yaml:30:63: Resources.Queue.Properties.FifoQueue: is not supported by the local stack: remove it, or make it conditional with !If
  template.yaml:30:76: Resources.Queue.Properties: there is no resource or parameter called Nope
  template.yaml:35:13: Resources.Typeless: has no Type: add one, e.g. AWS::SQS::Queue
  template.yaml:38:17: Resources.Table.Properties: AttributeDefinitions is missing
  template.yaml:38:17: Resources.Table.Properties: KeySchema is missing
  template.yaml:38:40: Resources.Table.Properties.StreamSpecification: is not supported by the local stack: remove it, or make it conditional with !If
  template.yaml:41:15: Outputs.B.Value: Queue has no attribute Colour here, only Arn, QueueName, QueueUrl"
    );
}
