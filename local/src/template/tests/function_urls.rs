//! Function URLs of functions, and as resources.

use super::super::{Cors, UrlAuthType};
use super::{read, read_with, settings, template};

/// Returns a template with a function `Door`, and what follows its properties.
fn with_function(properties: &str, rest: &str) -> String {
    template(
        "",
        &format!(
            "
  Door:
    Type: AWS::Serverless::Function
    Metadata: {{ BuildProperties: {{ Binary: door }} }}
    Properties:
      CodeUri: functions
      Runtime: provided.al2023
      {properties}
{rest}"
        ),
    )
}

const RESOURCE: &str = "
  Url:
    Type: AWS::Lambda::Url
    Properties: { TargetFunctionArn: !Ref Door, AuthType: NONE }
";

const PERMISSIONS: &str = "
  UrlPermission:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !Ref Door
      Action: lambda:InvokeFunctionUrl
      Principal: '*'
      FunctionUrlAuthType: NONE
  InvokePermission:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !GetAtt Door.Arn
      Action: lambda:InvokeFunction
      Principal: '*'
      InvokedViaFunctionUrl: true
";

#[test]
fn url_of_a_function_is_named_as_by_sam() {
    let config = "FunctionUrlConfig: { AuthType: NONE }";
    let outputs = "
Outputs:
  Url: { Value: !GetAtt DoorUrl.FunctionUrl }
  Arn: { Value: !Ref DoorUrl }
";
    let text = with_function(config, outputs);
    let mut settings = settings();
    let stack = read_with(&text, &settings).expect("a stack");
    let url = &stack.function_urls[0];
    assert_eq!(
        (url.logical_id.as_str(), url.function.as_str()),
        ("DoorUrl", "Door")
    );
    assert_eq!(url.auth_type, UrlAuthType::None);
    assert_eq!((&url.cors, url.reserved_concurrency), (&None, None));
    let on_aws = format!("https://{}.lambda-url.us-east-1.on.aws/", url.id);
    assert_eq!(stack.outputs["Url"], on_aws);
    assert_eq!(url.address, on_aws);
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:herald-local-Door";
    assert_eq!(stack.outputs["Arn"], arn);
    assert_eq!(url.function_arn, arn);

    let address = "http://127.0.0.1:3031/".to_owned();
    settings.function_urls = [("DoorUrl".to_owned(), address.clone())].into();
    let stack = read_with(&text, &settings).expect("a stack");
    assert_eq!(stack.outputs["Url"], address);
    assert_eq!(stack.function_urls[0].address, address);
}

#[test]
fn settings_of_a_url_are_read() {
    let text = with_function(
        "ReservedConcurrentExecutions: 5
      FunctionUrlConfig:
        AuthType: AWS_IAM
        InvokeMode: BUFFERED
        Cors:
          AllowCredentials: true
          AllowHeaders: [authorization]
          AllowMethods: [GET, '*']
          AllowOrigins: !Split [',', 'https://a,https://b']
          ExposeHeaders: [retry-after]
          MaxAge: 600",
        "",
    );
    let stack = read(&text).expect("a stack");
    let url = &stack.function_urls[0];
    assert_eq!(url.auth_type, UrlAuthType::AwsIam);
    assert_eq!(url.reserved_concurrency, Some(5));
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    let expected = Cors {
        allow_credentials: true,
        allow_headers: texts(&["authorization"]),
        allow_methods: texts(&["GET", "*"]),
        allow_origins: texts(&["https://a", "https://b"]),
        expose_headers: texts(&["retry-after"]),
        max_age: Some(600),
    };
    assert_eq!(url.cors, Some(expected));
}

#[test]
fn public_url_as_a_resource_needs_both_public_permissions() {
    let stack = read(&with_function("", &format!("{RESOURCE}{PERMISSIONS}"))).expect("a stack");
    assert_eq!(stack.function_urls[0].logical_id, "Url");
    assert!(stack.not_run.is_empty(), "{:?}", stack.not_run);

    let (first, _) = PERMISSIONS.split_once("  InvokePermission").expect("two");
    let problem = read(&with_function("", &format!("{RESOURCE}{first}"))).expect_err("one");
    assert_eq!(problem.path, "Resources.Url");
    assert_eq!(
        problem.reason,
        "AWS would answer every request with 403: add an AWS::Lambda::Permission with Action \
         lambda:InvokeFunction, Principal \"*\" and FunctionName !Ref Door, or use FunctionUrlConfig, \
         with which SAM adds it"
    );
    let signed = RESOURCE.replace("NONE", "AWS_IAM");
    read(&with_function("", &signed)).expect("its callers have rights of their own");
}

#[test]
fn permission_of_a_service_is_not_run() {
    let permission = PERMISSIONS.replace("'*'", "events.amazonaws.com");
    let stack = read(&with_function("", &permission)).expect("a stack");
    let not_run: Vec<_> = stack
        .not_run
        .iter()
        .map(|it| it.logical_id.as_str())
        .collect();
    assert_eq!(not_run, ["UrlPermission", "InvokePermission"]);
}

#[test]
fn position_counts_urls_whose_conditions_do_not_hold() {
    let text = with_function(
        "FunctionUrlConfig: { AuthType: NONE }",
        "
  Last:
    Type: AWS::Lambda::Url
    Properties: { TargetFunctionArn: !Ref Door, AuthType: AWS_IAM }
  Absent:
    Type: AWS::Serverless::Function
    Condition: Never
    Properties: { FunctionUrlConfig: { AuthType: NONE } }
  After:
    Type: AWS::Lambda::Url
    Properties: { TargetFunctionArn: !Ref Door, AuthType: AWS_IAM }
Conditions: { Never: !Equals [a, b] }
",
    );
    let stack = read(&text).expect("a stack");
    let urls = stack.function_urls.iter();
    let positions: Vec<_> = urls
        .map(|url| (url.logical_id.as_str(), url.position))
        .collect();
    assert_eq!(positions, [("DoorUrl", 0), ("Last", 1), ("After", 3)]);
}

#[test]
fn wrong_url_is_refused_with_remedy() {
    let config = |config: &str| with_function(&format!("FunctionUrlConfig: {{ {config} }}"), "");
    let resource = |old: &str, new: &str| with_function("", &RESOURCE.replace(old, new));
    for (text, path, reason) in [
        (
            config("AuthType: NONE, InvokeMode: RESPONSE_STREAM"),
            "Resources.Door.Properties.FunctionUrlConfig.InvokeMode",
            "RESPONSE_STREAM is not supported by the local stack, which returns answers whole: use BUFFERED",
        ),
        (
            config("AuthType: JWT"),
            "Resources.Door.Properties.FunctionUrlConfig.AuthType",
            "must be NONE or AWS_IAM, got `JWT`",
        ),
        (
            config(""),
            "Resources.Door.Properties.FunctionUrlConfig",
            "AuthType is missing",
        ),
        (
            config("AuthType: NONE, Cors: { AllowMethods: [OPTIONS] }"),
            "Resources.Door.Properties.FunctionUrlConfig.Cors.AllowMethods",
            "must consist of GET, PUT, HEAD, POST, PATCH, DELETE, *, got `OPTIONS`",
        ),
        (
            config("AuthType: NONE, Cors: { MaxAge: 86401 }"),
            "Resources.Door.Properties.FunctionUrlConfig.Cors.MaxAge",
            "must be 0 to 86400 seconds, got 86401",
        ),
        (
            config("AuthType: NONE, Cors: { AllowOrigin: ['*'] }"),
            "Resources.Door.Properties.FunctionUrlConfig.Cors.AllowOrigin",
            "is not supported by the local stack: remove it, or make it conditional with !If",
        ),
        (
            resource("!Ref Door", "other"),
            "Resources.Url.Properties.TargetFunctionArn",
            "`other` is not an AWS::Serverless::Function of this template: write !GetAtt X.Arn with its logical id",
        ),
        (
            resource("AuthType: NONE", "AuthType: AWS_IAM, Qualifier: live"),
            "Resources.Url.Properties.Qualifier",
            "aliases and versions are not run here: remove Qualifier",
        ),
    ] {
        let problem = read(&text).expect_err(reason);
        assert_eq!(
            (problem.path.as_str(), problem.reason.as_str()),
            (path, reason)
        );
    }
}
