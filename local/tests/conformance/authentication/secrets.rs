//! Secrets Manager, called by the real SDK.

use aws_sdk_secretsmanager::{
    error::ProvideErrorMetadata, types::error::ResourceNotFoundException,
};
use herald_local::Authentication;

use super::harness::TestStack;

const ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:herald/fixed";

#[tokio::test]
async fn secret_is_read_by_name_arn_and_arn_without_suffix() {
    let stack = TestStack::start(Authentication::Open, &[]).await;
    let read = async |id: &str| {
        let secret = stack
            .secrets()
            .get_secret_value()
            .secret_id(id)
            .send()
            .await;
        secret.unwrap_or_else(|error| panic!("{id}: {error:?}"))
    };
    let by_name = read("herald/fixed").await;
    assert_eq!(by_name.secret_string(), Some("a text of the template"));
    assert_eq!(by_name.name(), Some("herald/fixed"));
    assert_eq!(by_name.version_stages(), ["AWSCURRENT"]);
    let arn = by_name.arn().unwrap();
    assert!(arn.starts_with(&format!("{ARN}-")), "{arn}");
    for id in [arn, ARN] {
        assert_eq!(read(id).await.version_id(), by_name.version_id());
    }
}

#[tokio::test]
async fn missing_secret_or_version_is_not_found() {
    let stack = TestStack::start(Authentication::Open, &[]).await;
    let client = stack.secrets();
    let read = || client.get_secret_value();
    for (request, expected) in [
        (read().secret_id("missing"), "secret"),
        (read().secret_id("herald"), "secret"),
        (
            read().secret_id("herald-local-EmptySecret"),
            "secret value for staging label: AWSCURRENT",
        ),
        (
            read()
                .secret_id("herald/fixed")
                .version_stage("AWSPREVIOUS"),
            "secret value for staging label: AWSPREVIOUS",
        ),
        (
            read().secret_id("herald/fixed").version_id("7"),
            "secret value for VersionId: 7",
        ),
    ] {
        let error = request.send().await.unwrap_err().into_service_error();
        assert!(error.is_resource_not_found_exception(), "{error:?}");
        let message = format!("Secrets Manager can't find the specified {expected}.");
        assert_eq!(error.message(), Some(message.as_str()));
    }
    let put = client.put_secret_value().secret_id("missing");
    let error = put.secret_string("a").send().await.unwrap_err();
    assert!(error.into_service_error().is_resource_not_found_exception());
    let described = client.describe_secret().secret_id("missing").send().await;
    let error = described.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("ResourceNotFoundException"));
    let _: &ResourceNotFoundException = match &error {
        aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretError::ResourceNotFoundException(error) => error,
        other => panic!("{other:?}"),
    };
}

#[tokio::test]
async fn new_text_is_current_and_the_previous_one_is_kept() {
    let stack = TestStack::start(Authentication::Open, &[]).await;
    let client = stack.secrets();
    let id = "herald/fixed";
    let put = async |token: &str, text: &str| {
        let put = client.put_secret_value().secret_id(id);
        let put = put.client_request_token(token).secret_string(text);
        put.send().await
    };
    let token = |last| format!("{:032}", last);
    put(&token(1), "second").await.unwrap();
    put(&token(2), "third").await.unwrap();
    put(&token(2), "third").await.unwrap();
    let error = put(&token(2), "other")
        .await
        .unwrap_err()
        .into_service_error();
    assert!(error.is_resource_exists_exception(), "{error:?}");

    let read = async |stage: &str| {
        let read = client.get_secret_value().secret_id(id).version_stage(stage);
        let read = read.send().await.unwrap();
        (read.secret_string.unwrap(), read.version_id.unwrap())
    };
    assert_eq!(read("AWSCURRENT").await, ("third".to_owned(), token(2)));
    assert_eq!(read("AWSPREVIOUS").await, ("second".to_owned(), token(1)));
    let described = client.describe_secret().secret_id(id).send().await.unwrap();
    let versions = described.version_ids_to_stages.unwrap();
    assert_eq!(versions.len(), 2);
    assert_eq!(versions[&token(2)], ["AWSCURRENT"]);
    assert!(described.last_changed_date >= described.created_date);

    // A version keeps its id and its text after it has lost its labels.
    put(&token(3), "fourth").await.unwrap();
    let error = put(&token(1), "other").await.unwrap_err();
    assert!(error.into_service_error().is_resource_exists_exception());
    let read = client.get_secret_value().secret_id(id).version_id(token(1));
    assert_eq!(read.send().await.unwrap().secret_string.unwrap(), "second");
}

/// See docs/local-vs-aws.md: "Secrets last until the stack ends".
#[tokio::test]
async fn generated_secret_differs_at_every_start() {
    let read = async || {
        let stack = TestStack::start(Authentication::Secret, &[]).await;
        let arn = stack.variable("TOKEN_SECRET_ARN").to_owned();
        let read = stack.secrets().get_secret_value().secret_id(&arn);
        (arn, read.send().await.unwrap().secret_string.unwrap())
    };
    let ((first_arn, first), (second_arn, second)) = (read().await, read().await);
    assert_eq!(first_arn, second_arn);
    assert_ne!(first, second);
    for secret in [first, second] {
        assert_eq!(secret.len(), 64);
        assert!(secret.chars().all(|one| one.is_ascii_alphanumeric()));
    }
}
