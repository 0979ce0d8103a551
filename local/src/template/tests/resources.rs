//! Resources other than those of our own template, and the defaults of properties.

use std::time::Duration;

use serde_json::json;

use super::super::{Bus, EventSourceMapping, Throttle};
use super::{read, read_with, settings, template};

#[test]
fn missing_properties_get_the_defaults_of_aws() {
    let stack = read(&template("", "  Queue: { Type: AWS::SQS::Queue }")).expect("a stack");
    let queue = &stack.queues[0];
    assert_eq!(queue.visibility_timeout, Duration::from_secs(30));
    assert_eq!(queue.retention, Duration::from_secs(345_600));
    assert_eq!(queue.maximum_message_size, 1_048_576);
    assert_eq!((queue.delay, queue.receive_wait), Default::default());
    let function = &stack.functions[0];
    assert_eq!(function.timeout, Duration::from_secs(3));
    assert_eq!(function.memory_mb, 128);
    assert_eq!(stack.web_socket_api.stage, "default");
    assert_eq!(stack.web_socket_api.throttle, None);
    let route = &stack.web_socket_api.routes[0];
    assert_eq!(route.integration_timeout, Duration::from_secs(29));
}

#[test]
fn globals_are_merged_as_by_sam() {
    let globals = "
Globals:
  Function:
    Timeout: 7
    MemorySize: 256
    Environment: { Variables: { SHARED: global, OWN: global } }
  WebSocketApi:
    StageVariables: { a: 1 }
";
    let function = "
  Other:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: other } }
    Properties:
      CodeUri: functions
      Runtime: provided.al2023
      Timeout: 9
      Environment: { Variables: { OWN: local, ONLY: 1 } }
";
    let stack = read(&template(globals, function)).expect("a stack");
    let other = &stack.functions[1];
    assert_eq!(other.timeout, Duration::from_secs(9));
    assert_eq!(other.memory_mb, 256);
    assert_eq!(
        json!(other.environment),
        json!({"SHARED": "global", "OWN": "local", "ONLY": "1"})
    );
    assert_eq!(stack.functions[0].timeout, Duration::from_secs(7));
    assert_eq!(stack.web_socket_api.stage_variables["a"], "1");
}

#[test]
fn route_is_two_way_only_with_its_route_response() {
    let expression = "RouteResponseSelectionExpression: $default";
    let response = "
  Response:
    Type: AWS::ApiGatewayV2::RouteResponse
    Properties: { ApiId: !Ref Api, RouteId: !Ref ApiSendmessageRoute, RouteResponseKey: $default }
";
    for (property, resource, expected) in [
        (expression, response, true),
        (expression, "", false),
        ("OperationName: send", response, false),
    ] {
        let text = template("", resource).replace(
            "{ $connect: { FunctionArn: !GetAtt Connect.Arn } }",
            &format!("{{ sendMessage: {{ FunctionArn: !GetAtt Connect.Arn, {property} }} }}"),
        );
        let stack = read(&text).expect("a stack");
        let route = &stack.web_socket_api.routes[0];
        assert_eq!(route.two_way, expected, "{property} {resource}");
    }
}

#[test]
fn authorizer_and_throttle_are_read() {
    let text = template("", "").replace(
        "      Routes:",
        "      Auth:
        AuthType: CUSTOM
        AuthArn: !GetAtt Connect.Arn
        InvokeRole: !GetAtt ConnectRole.Arn
        IdentitySource: [route.request.querystring.token]
      DefaultRouteSettings: { ThrottlingRateLimit: 2.5 }
      Routes:",
    );
    let api = read(&text).expect("a stack").web_socket_api;
    let authorizer = api.authorizer.expect("an authorizer");
    assert_eq!(authorizer.function, "Connect");
    assert_eq!(
        authorizer.identity_sources,
        ["route.request.querystring.token"]
    );
    assert_eq!(
        api.throttle,
        Some(Throttle {
            rate: 2.5,
            burst: 5_000
        })
    );
}

#[test]
fn mapping_may_be_a_resource_of_its_own() {
    let stack = read(&template(
        "",
        "
  Queue: { Type: AWS::SQS::Queue }
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Queue.Arn
      FunctionName: !Ref Connect
      MaximumBatchingWindowInSeconds: 2
  Off:
    Type: AWS::Lambda::EventSourceMapping
    Properties: { EventSourceArn: !GetAtt Queue.Arn, FunctionName: !GetAtt Connect.Arn, Enabled: false }
",
    ))
    .expect("a stack");
    assert_eq!(
        stack.event_source_mappings,
        [EventSourceMapping {
            function: "Connect".to_owned(),
            queue: stack.queues[0].arn.clone(),
            batch_size: 10,
            window: Duration::from_secs(2),
            maximum_concurrency: None,
            report_batch_item_failures: false,
        }]
    );
}

#[test]
fn buses_are_the_default_one_those_created_and_those_named() {
    let stack = read(&template(
        "",
        "
  Bus: { Type: AWS::Events::EventBus, Properties: { Name: own } }
  A: { Type: AWS::Events::Rule, Properties: { EventPattern: { source: [a] }, EventBusName: !GetAtt Bus.Arn } }
  B: { Type: AWS::Events::Rule, Properties: { EventPattern: { source: [a] }, EventBusName: elsewhere } }
",
    ))
    .expect("a stack");
    let bus = |logical_id: Option<&str>, name: &str| Bus {
        logical_id: logical_id.map(str::to_owned),
        name: name.to_owned(),
    };
    assert_eq!(
        stack.buses,
        [
            bus(Some("Bus"), "own"),
            bus(None, "default"),
            bus(None, "elsewhere")
        ]
    );
    assert_eq!(stack.rules[0].bus, "own");
}

#[test]
fn resource_that_is_not_run_is_named_and_not_evaluated() {
    let stack = read(&template(
        "
Conditions: { Off: !Equals [a, b] }
Outputs: { Board: { Value: !Ref Board }, Off: { Condition: Off, Value: !Ref Nope } }
",
        "
  Board: { Type: AWS::CloudWatch::Dashboard, Properties: { DashboardBody: !Unheard of } }
  Off: { Type: AWS::SQS::Queue, Condition: Off, Properties: { FifoQueue: true } }
",
    ))
    .expect("a stack");
    assert_eq!(stack.queues, []);
    assert_eq!(stack.outputs.len(), 0);
    let not_run: Vec<_> = stack
        .not_run
        .iter()
        .map(|resource| (resource.logical_id.as_str(), resource.kind.as_str()))
        .collect();
    assert_eq!(not_run, [("Board", "AWS::CloudWatch::Dashboard")]);
}

#[test]
fn value_of_settings_overrides_parameter() {
    let text = template(
        "Parameters: { Seconds: { Type: Number } }",
        "  Queue: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: !Ref Seconds } }",
    );
    let mut settings = settings();
    settings
        .parameters
        .insert("Seconds".to_owned(), "42".to_owned());
    let stack = read_with(&text, &settings).expect("a stack");
    assert_eq!(stack.queues[0].visibility_timeout, Duration::from_secs(42));
}

#[test]
fn table_becomes_its_create_request() {
    let stack = read(&template(
        "Parameters: { Units: { Type: Number, Default: 3 } }",
        "
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: rows
      AttributeDefinitions: [{ AttributeName: pk, AttributeType: S }]
      KeySchema: [{ AttributeName: pk, KeyType: HASH }]
      ProvisionedThroughput: { ReadCapacityUnits: !Ref Units, WriteCapacityUnits: 1 }
      SSESpecification: { KMSMasterKeyId: !Ref AWS::StackId }
      TimeToLiveSpecification: { AttributeName: expiresAt, Enabled: false }
",
    ))
    .expect("a stack");
    assert_eq!(
        stack.tables[0].create_table,
        json!({
            "TableName": "rows",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 1},
        })
    );
    assert_eq!(stack.tables[0].time_to_live_attribute, None);
}
