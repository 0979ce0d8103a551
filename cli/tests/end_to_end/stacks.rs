//! `--stack`: the local stack behind a fake CloudFormation that knows its outputs. All other services are the local
//! stack's own.

use std::collections::BTreeMap;

use axum::{Router, extract::State, http::StatusCode, routing::post};
use herald_local::Authentication;

use crate::harness::{FakeServer, Herald, TestStack, herald};

/// A fake CloudFormation that knows one stack, `herald`.
///
/// Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html>
struct CloudFormation {
    server: FakeServer,
}

impl CloudFormation {
    async fn start(stack: &TestStack) -> Self {
        let mut outputs = stack.running.stack().outputs.clone();
        let web_socket = &stack.running.addresses().web_socket;
        outputs.insert("WebSocketUri".to_owned(), web_socket.clone());
        let description = description(&stack.running.stack().parameters, &outputs);
        let answer = post(async |State(description): State<String>, request: String| {
            if request.contains("StackName=herald&") || request.ends_with("StackName=herald") {
                (StatusCode::OK, description)
            } else if request.contains("StackName=secret") {
                let message =
                    "User: alice is not authorized to perform: cloudformation:DescribeStacks";
                (StatusCode::FORBIDDEN, error("AccessDenied", message))
            } else {
                let message = "Stack with id nothing does not exist";
                (StatusCode::BAD_REQUEST, error("ValidationError", message))
            }
        });
        let router = |_: &str| Router::new().route("/", answer).with_state(description);
        Self {
            server: FakeServer::start(router).await,
        }
    }

    /// Returns `herald` in an account with this CloudFormation and the stack's other services.
    fn herald(&self, stack: &TestStack, arguments: &[&str]) -> Herald {
        herald(arguments)
            .variable("AWS_ENDPOINT_URL", &stack.running.addresses().endpoint)
            .variable("AWS_ENDPOINT_URL_CLOUDFORMATION", &self.server.url)
            .variable("AWS_REGION", "us-east-1")
            // Without a Region, the SDK asks the metadata service of EC2.
            .variable("AWS_EC2_METADATA_DISABLED", "true")
            .variable("AWS_ACCESS_KEY_ID", "local")
            .variable("AWS_SECRET_ACCESS_KEY", "local")
    }
}

fn description(
    parameters: &BTreeMap<String, String>,
    outputs: &BTreeMap<String, String>,
) -> String {
    let members = |kind: &str, values: &BTreeMap<String, String>| -> String {
        let member = |(key, value): (&String, &String)| {
            format!(
                "<member><{kind}Key>{key}</{kind}Key><{kind}Value>{value}</{kind}Value></member>"
            )
        };
        values.iter().map(member).collect()
    };
    let parameters = members("Parameter", parameters);
    let outputs = members("Output", outputs);
    format!(
        "<DescribeStacksResponse><DescribeStacksResult><Stacks><member>\
         <StackName>herald</StackName><CreationTime>2026-11-01T00:00:00Z</CreationTime>\
         <StackStatus>CREATE_COMPLETE</StackStatus>\
         <Parameters>{parameters}</Parameters><Outputs>{outputs}</Outputs>\
         </member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
    )
}

fn error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         </ErrorResponse>"
    )
}

#[tokio::test]
async fn deployed_stack_is_found_by_its_outputs() {
    let stack = TestStack::start(Authentication::Secret).await;
    let aws = CloudFormation::start(&stack).await;
    // herald signs the token with the secret of the output TokenSecretArn, for the audience of the parameter.
    let token = [
        "--stack",
        "herald",
        "token",
        "--user",
        "alice",
        "--permission",
        "**=subscribe",
    ];
    let token = aws.herald(&stack, &token).run("").await;
    assert_eq!(token.code, Some(0), "{}", token.stderr);
    let tail = [
        "tail",
        "order-1",
        "--count",
        "1",
        "--token",
        token.stdout.trim(),
    ];
    let tail = aws.herald(&stack, &tail).variable("HERALD_STACK", "herald");
    let mut tail = tail.start();
    tail.says("subscribed").await;
    let publish = [
        "publish", "--stack", "herald", "--entity", "order-1", "Hello",
    ];
    let published = aws.herald(&stack, &publish).run("").await;
    assert_eq!(published.code, Some(0), "{}", published.stderr);
    assert_eq!(tail.prints().await["message"], "Hello");
    assert_eq!(tail.ended().await.code, Some(0));
    stack.stop().await;
}

#[tokio::test]
async fn deployed_stack_has_keys_and_a_url_for_publishing() {
    let stack = crate::keys::start().await;
    let aws = CloudFormation::start(&stack).await;
    let of_stack = |arguments: &[&str]| {
        let arguments = [&["--stack", "herald"], arguments].concat();
        aws.herald(&stack, &arguments)
    };
    let created = of_stack(&["key", "create", "--may", "order-*=publish"]);
    let created = created.run("").await;
    assert_eq!(created.code, Some(0), "{}", created.stderr);
    let publish = of_stack(&["publish", "--http", "--entity", "order-1", "Hello"]);
    let publish = publish.variable("HERALD_KEY", created.stdout.trim());
    let published = publish.run("").await;
    assert_eq!(published.code, Some(0), "{}", published.stderr);
    assert!(published.stdout.ends_with(" 1\n"), "{}", published.stdout);
    stack.stop().await;
}

#[tokio::test]
async fn stack_that_cannot_be_described_is_reported_with_the_aws_message() {
    let stack = TestStack::start(Authentication::Open).await;
    let aws = CloudFormation::start(&stack).await;
    for (arguments, code, words) in [
        (["--stack", "nothing", "tail", "a"], 1, "does not exist"),
        (
            ["--stack", "secret", "tail", "a"],
            3,
            "is not authorized to perform",
        ),
    ] {
        let ended = aws.herald(&stack, &arguments).run("").await;
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    let mut herald = aws.herald(&stack, &["--stack", "herald", "tail", "a"]);
    herald.command.env_remove("AWS_REGION");
    let ended = herald.run("").await;
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("--region"), "{}", ended.stderr);
    stack.stop().await;
}
