//! The error texts of wrong templates.

use std::collections::BTreeMap;

use super::super::{Stack, TemplateError};
use super::{read, read_with, settings, template};

#[test]
fn wrong_reference_is_refused_with_path_and_remedy() {
    for (value, expected) in [
        (
            "!Ref Nope",
            "Nope is neither a resource nor a parameter of the template",
        ),
        (
            "!Sub '${Nope.Arn}'",
            "Nope is neither a resource nor a parameter of the template",
        ),
        (
            "!Ref Role",
            "Role, of type AWS::IAM::Role, is not run on this machine and has no value here: use a \
             parameter in its place",
        ),
        (
            "!Ref Off",
            "Off is not part of the stack, because its condition does not hold",
        ),
        (
            "!GetAtt Queue.Color",
            "Queue has no attribute Color here, only Arn, QueueName, QueueUrl",
        ),
        (
            "!GetAtt Queue",
            "GetAtt needs a resource and its attribute, as in Queue.Arn, got `Queue`",
        ),
        (
            "!ImportValue x",
            "the values of other stacks are not known here: use a parameter in its place",
        ),
        (
            "!GetAZs ''",
            "Fn::GetAZs is not supported by the local stack: write its value out, or use a parameter",
        ),
        (
            "!Ref AWS::StackId",
            "AWS::StackId is not supported by the local stack: use a parameter in its place",
        ),
        (
            "!If [Nope, a, b]",
            "the condition Nope is not defined in Conditions",
        ),
        ("!If [Loop, a, b]", "Conditions.Loop refers to itself"),
        (
            "!Equals [a, b]",
            "Fn::Equals is for Conditions only: define a condition there, and use it with !If",
        ),
        ("!Join [a]", "Fn::Join needs a list of 2"),
        (
            "!Select [2, [a, b]]",
            "the index 2 of Select is outside its list of 2: the first index is 0",
        ),
        (
            "!FindInMap [Sizes, big, memory]",
            "Mappings has no entry big",
        ),
        ("[a]", "must be text"),
    ] {
        let resources = format!(
            "
  Role: {{ Type: AWS::IAM::Role }}
  Off: {{ Type: AWS::SQS::Queue, Condition: No }}
  Queue: {{ Type: AWS::SQS::Queue }}
  Other:
    Type: AWS::Serverless::Function
    Metadata: {{ BuildProperties: {{ Binary: other }} }}
    Properties:
      CodeUri: functions
      Runtime: provided.al2023
      Environment: {{ Variables: {{ VALUE: {value} }} }}
"
        );
        let sections = "
Mappings: { Sizes: { small: { memory: 128 } } }
Conditions: { No: !Equals [a, b], Loop: !Not [!Condition Loop] }
";
        let problem = read(&template(sections, &resources)).expect_err(value);
        assert_eq!(problem.reason, expected, "{value}");
        let path = "Resources.Other.Properties.Environment.Variables.VALUE";
        let of_condition = value.contains("Loop");
        assert!(problem.path == path || of_condition, "{}", problem.path);
    }
}

#[test]
fn wrong_resource_is_refused_with_path_and_remedy() {
    const UNKNOWN: &str = "is not supported by the local stack: remove it, or make it conditional \
                           with !If";
    for (resource, path, expected) in [
        (
            "{ Type: AWS::SQS::Queue, Properties: { Colour: red } }",
            "Properties.Colour",
            UNKNOWN,
        ),
        (
            "{ Type: AWS::SQS::Queue, Properties: { FifoQueue: true } }",
            "Properties.FifoQueue",
            UNKNOWN,
        ),
        (
            "{ Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: soon } }",
            "Properties.VisibilityTimeout",
            "must be a number in range, got `soon`",
        ),
        (
            "{ Type: AWS::SQS::Queue, Properties: { QueueName: !Ref X } }",
            "Properties.QueueName",
            "Resources.X refers to itself",
        ),
        (
            "{ Type: AWS::SQS::Queue, Properties: { Tags: [!Ref Nope] } }",
            "Properties",
            "Nope is neither a resource nor a parameter of the template",
        ),
        (
            "{ Type: AWS::SQS::Queue, Properties: { RedrivePolicy: { deadLetterTargetArn: a, maxReceiveCount: 1 } } }",
            "Properties.RedrivePolicy.deadLetterTargetArn",
            "`a` is not the ARN of an AWS::SQS::Queue of this template: write !GetAtt and its logical id",
        ),
        (
            "{ Type: AWS::Events::Rule, Properties: { EventPattern: {}, Targets: [{ Id: a, Arn: !GetAtt Queue.Arn, InputPath: detail }] } }",
            "Properties.Targets[0].InputPath",
            "`detail` is not a path that EventBridge supports: use $, members after dots, indices in brackets, and *",
        ),
        (
            "{ Type: AWS::Events::Rule, Properties: { EventPattern: {}, Targets: [{ Id: a, Arn: !GetAtt Queue.Arn, InputTransformer: { InputTemplate: <order> } }] } }",
            "Properties.Targets[0].InputTransformer",
            "<order> is neither in InputPathsMap nor a reserved variable",
        ),
        (
            "{ Type: AWS::Events::Rule, Properties: { EventPattern: {}, Targets: [{ Id: a, Arn: !GetAtt Queue.Arn, Input: '{', InputPath: $ }] } }",
            "Properties.Targets[0]",
            "has more than one of Input, InputPath and InputTransformer",
        ),
        (
            "{ Type: AWS::Events::Rule, Properties: { Targets: [] } }",
            "Properties",
            "EventPattern is missing",
        ),
        (
            "{ Type: AWS::Serverless::Function, Properties: { CodeUri: a, Runtime: nodejs22.x } }",
            "Properties.Runtime",
            "`nodejs22.x` is not run here: use provided.al2023, the runtime of Rust functions, or run the functions elsewhere with --functions",
        ),
        (
            "{ Type: AWS::Serverless::Function, Metadata: { BuildProperties: { Binary: x } }, Properties: { CodeUri: a, Runtime: provided.al2023, Events: { E: { Type: Schedule } } } }",
            "Properties.Events.E.Type",
            "events of type Schedule are not supported here, only SQS: remove it, or make it conditional with !If",
        ),
        (
            "{ Type: AWS::Lambda::Function }",
            "Type",
            "AWS::Lambda::Function is not supported by the local stack: use AWS::Serverless::Function instead",
        ),
        (
            "{ Type: AWS::SQS::Queue, Propertys: {} }",
            "Propertys",
            "is not known here: expected one of Type, Properties, Condition, DependsOn, Metadata, \
             Connectors, CreationPolicy, DeletionPolicy, UpdatePolicy, UpdateReplacePolicy",
        ),
        (
            "{ Type: AWS::DynamoDB::Table, Properties: { KeySchema: [], AttributeDefinitions: [], StreamSpecification: { StreamViewType: KEYS_ONLY } } }",
            "Properties.StreamSpecification",
            UNKNOWN,
        ),
    ] {
        let resources = format!("  Queue: {{ Type: AWS::SQS::Queue }}\n  X: {resource}");
        let problem = read(&template("", &resources)).expect_err(resource);
        assert_eq!(problem.path, format!("Resources.X.{path}"), "{resource}");
        assert_eq!(problem.reason, expected, "{resource}");
    }
}

#[test]
fn wrong_api_is_refused_with_path_and_remedy() {
    for (property, path, expected) in [
        (
            "Auth: { AuthType: NONE, Name: auth }",
            "Auth.Name",
            "is not supported by the local stack: remove it, or make it conditional with !If",
        ),
        (
            "Auth: { AuthType: CUSTOM, AuthArn: !GetAtt Connect.Arn, IdentitySource: [$request.header.X] }",
            "Auth.IdentitySource[0]",
            "must be one of route.request.header., route.request.querystring., stageVariables., context. \
             with a name after it, got `$request.header.X`",
        ),
        (
            "Auth: { AuthType: CUSTOM, AuthArn: !GetAtt Connect.Arn, IdentitySource: [] }",
            "Auth.IdentitySource",
            "must name at least one source: remove the property if there is none",
        ),
        (
            "Auth: { AuthType: AWS_IAM }",
            "Auth.AuthType",
            "must be NONE or CUSTOM here, got `AWS_IAM`",
        ),
        (
            "StageName: $default",
            "StageName",
            "the stage of a WebSocket API cannot be called $default",
        ),
        (
            "Routes: { a-b: {} }",
            "Routes.a-b",
            "a route key must be $connect, $disconnect, $default or consist of letters and digits",
        ),
        (
            "Routes: { a: { FunctionArn: !Ref Connect } }",
            "Routes.a.FunctionArn",
            "`herald-local-Connect` is not the ARN of an AWS::Serverless::Function of this template: \
             write !GetAtt and its logical id",
        ),
        (
            "Routes: { a: { FunctionArn: !GetAtt Connect.Arn, IntegrationTimeout: 30000 } }",
            "Routes.a.IntegrationTimeout",
            "must be 50 to 29000 milliseconds, got 30000",
        ),
    ] {
        let routes = "Routes: { $connect: { FunctionArn: !GetAtt Connect.Arn } }";
        let replacement = match property.starts_with("Routes") {
            true => property.to_owned(),
            false => format!("{property}\n      {routes}"),
        };
        let text = template("", "").replace(routes, &replacement);
        let problem = read(&text).expect_err(property);
        assert_eq!(problem.path, format!("Resources.Api.Properties.{path}"));
        assert_eq!(problem.reason, expected);
    }
}

#[test]
fn stack_without_api_is_refused() {
    let problem = read("Resources: {}").expect_err("no API");
    assert_eq!(problem.path, "Resources");
    assert_eq!(
        problem.reason,
        "must hold one AWS::Serverless::WebSocketApi, got 0"
    );
}

#[test]
fn visibility_timeout_below_function_timeout_is_refused() {
    let text = template(
        "",
        "
  Queue: { Type: AWS::SQS::Queue, Properties: { VisibilityTimeout: 2 } }
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: { EventSourceArn: !GetAtt Queue.Arn, FunctionName: !Ref Connect }
",
    );
    let problem = read(&text).expect_err("too short");
    assert_eq!(problem.path, "Resources.Queue.Properties.VisibilityTimeout");
    assert_eq!(
        problem.reason,
        "2 s is shorter than the timeout of Connect, 3 s, which Lambda refuses: make it six times as long"
    );
}

#[test]
fn wrong_parameter_value_is_refused_with_its_constraint() {
    for (declaration, given, expected) in [
        (
            "{ Type: String }",
            None,
            "has no value: give it one with --parameter P=…",
        ),
        (
            "{ Type: AWS::SSM::Parameter::Value<String>, Default: /key }",
            None,
            "has no value: give it one with --parameter P=…",
        ),
        (
            "{ Type: String, AllowedValues: [a, b] }",
            Some("c"),
            "must be one of a, b, got `c`",
        ),
        (
            "{ Type: Number }",
            Some("many"),
            "must be a number, got `many`",
        ),
        (
            "{ Type: Number, MinValue: 2 }",
            Some("1"),
            "must be at least 2, got `1`",
        ),
        (
            "{ Type: Number, MaxValue: 2 }",
            Some("3"),
            "must be at most 2, got `3`",
        ),
        (
            "{ Type: String, AllowedPattern: 'a|b' }",
            Some("ab"),
            "must match `a|b`, got `ab`",
        ),
        (
            "{ Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: must be small letters }",
            Some("Big"),
            "must be small letters, got `Big`",
        ),
        (
            "{ Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: must be small letters, NoEcho: true }",
            Some("Hidden"),
            "must be small letters",
        ),
        (
            "{ Type: String, AllowedPattern: '(?=a)a' }",
            Some("a"),
            "its AllowedPattern `(?=a)a` is not supported here: write it without look-around and backreferences",
        ),
        (
            "{ Type: String, MinLength: 2 }",
            Some("ä"),
            "must have a length of at least 2, got `ä`",
        ),
        (
            "{ Type: String, MaxLength: 1 }",
            Some("ab"),
            "must have a length of at most 1, got `ab`",
        ),
        (
            "{ Type: CommaDelimitedList, AllowedPattern: '[a-z]' }",
            Some("a, b, C"),
            "must match `[a-z]`, got `C`",
        ),
        (
            "{ Type: CommaDelimitedList, AllowedValues: [a, b] }",
            Some("a,c"),
            "must be one of a, b, got `c`",
        ),
        (
            "{ Type: 'List<Number>' }",
            Some("1,x"),
            "must be a number, got `x`",
        ),
        (
            "{ Type: String, Default: '', MinLength: 1 }",
            None,
            "must have a length of at least 1, got ``",
        ),
    ] {
        let text = template(&format!("Parameters: {{ P: {declaration} }}"), "");
        let mut settings = settings();
        settings.parameters = given
            .map(|value| ("P".to_owned(), value.to_owned()))
            .into_iter()
            .collect();
        let problem = read_with(&text, &settings).expect_err(declaration);
        assert_eq!(problem.path, "Parameters.P");
        assert_eq!(problem.reason, expected);
    }
}

#[test]
fn value_for_unknown_parameter_is_refused() {
    let mut settings = settings();
    settings.parameters = BTreeMap::from([("Stag".to_owned(), "dev".to_owned())]);
    let text = template("Parameters: { Stage: { Type: String, Default: dev } }", "");
    let problem = read_with(&text, &settings).expect_err("Stag");
    assert_eq!(
        problem.reason,
        "the template has no such parameter, only Stage"
    );
}

#[test]
fn error_begins_with_file_line_and_column() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("template.yaml");
    let read = |text: &str| -> TemplateError {
        std::fs::write(&file, text).expect("written");
        Stack::read(&file, &settings()).expect_err(text)
    };
    let name = file.display();
    assert_eq!(
        read("Resources: []").to_string(),
        format!("{name}:1:12: Resources: must be a map")
    );
    assert_eq!(
        read("a: 1\na: 1").to_string(),
        format!("{name}:2:1: not valid YAML: duplicated key in mapping")
    );

    let missing = folder.path().join("missing.yaml");
    let error = Stack::read(&missing, &settings()).expect_err("missing");
    assert_eq!(
        error.to_string(),
        format!(
            "the template {} cannot be read: run herald-local in its folder, or name the file with --template",
            missing.display()
        )
    );
}
