//! Tests of each member of an authorizer's answer.

use bytes::Bytes;
use herald_local::lambda::Invocation;
use serde_json::{Value, json};

use super::harness::TestGateway;

const ARN: &str = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod/$connect";
const STATEMENT: &str = "/policyDocument/Statement/0";

fn answer() -> Value {
    json!({
        "principalId": "user-42",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": ARN}],
        },
        "context": {"tenantId": "acme"},
    })
}

/// Returns the status of an upgrade with this answer of the authorizer.
async fn status(answer: impl Into<Bytes>) -> u16 {
    let answer = answer.into();
    let gateway = TestGateway::builder()
        .authorizer(&[], move |_| Invocation::Returned(answer.clone()))
        .start()
        .await;
    gateway.status(&gateway.url()).await
}

/// Returns the answer with a member set or removed.
fn with(object: &str, member: &str, value: Option<&Value>) -> String {
    let mut answer = answer();
    let object = answer.pointer_mut(object).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => object.insert(member.to_owned(), value.clone()),
        None => object.remove(member),
    };
    answer.to_string()
}

/// See docs/local-vs-aws.md: "An authorizer that answers badly".
#[tokio::test]
async fn answer_without_required_member_is_500() {
    for (object, member, expected) in [
        ("", "principalId", 500),
        ("", "policyDocument", 500),
        ("", "context", 101),
        ("", "usageIdentifierKey", 101),
        ("/policyDocument", "Version", 101),
        ("/policyDocument", "Id", 101),
        ("/policyDocument", "Statement", 500),
        (STATEMENT, "Sid", 101),
        (STATEMENT, "Effect", 500),
        (STATEMENT, "Action", 500),
        (STATEMENT, "Resource", 500),
    ] {
        assert_eq!(
            status(with(object, member, None)).await,
            expected,
            "{member}"
        );
    }
}

/// See docs/local-vs-aws.md: "An authorizer that answers badly".
#[tokio::test]
async fn each_member_value_determines_the_status() {
    for (object, member, value, expected) in [
        ("", "principalId", json!("a"), 101),
        ("", "principalId", json!(""), 500),
        ("", "principalId", json!(null), 500),
        ("", "principalId", json!(42), 500),
        ("", "principalId", json!({"id": "a"}), 500),
        ("", "policyDocument", json!(null), 500),
        ("", "policyDocument", json!({}), 500),
        ("", "policyDocument", json!([]), 500),
        (
            "",
            "policyDocument",
            answer()["policyDocument"].to_string().into(),
            500,
        ),
        ("", "context", json!({}), 101),
        ("", "context", json!(null), 500),
        ("", "context", json!("a"), 500),
        ("", "context", json!([]), 500),
        ("", "usageIdentifierKey", json!("key"), 101),
        ("", "usageIdentifierKey", json!(null), 101),
        ("", "usageIdentifierKey", json!(1), 500),
        ("", "unknown", json!(1), 101),
        ("/context", "a", json!(""), 101),
        ("/context", "a", json!(1.5), 101),
        ("/context", "a", json!(false), 101),
        ("/context", "a", json!(null), 500),
        ("/context", "a", json!([]), 500),
        ("/context", "a", json!({}), 500),
        ("/policyDocument", "Version", json!("2008-10-17"), 101),
        ("/policyDocument", "Version", json!("2012-10-18"), 500),
        ("/policyDocument", "Version", json!(""), 500),
        ("/policyDocument", "Version", json!(null), 500),
        ("/policyDocument", "Version", json!(2012), 500),
        ("/policyDocument", "Id", json!("a"), 101),
        ("/policyDocument", "unknown", json!("a"), 500),
        (
            "/policyDocument",
            "Statement",
            answer()["policyDocument"]["Statement"][0].clone(),
            101,
        ),
        ("/policyDocument", "Statement", json!([]), 403),
        ("/policyDocument", "Statement", json!({}), 500),
        ("/policyDocument", "Statement", json!(null), 500),
        ("/policyDocument", "Statement", json!([null]), 500),
        ("/policyDocument", "Statement", json!("Allow"), 500),
        (
            "/policyDocument",
            "Statement",
            json!(["a", "Allow", "execute-api:Invoke", ARN]),
            500,
        ),
        (
            "/policyDocument",
            "Statement",
            json!([["a", "Allow", "execute-api:Invoke", ARN]]),
            500,
        ),
        (STATEMENT, "Sid", json!("all"), 101),
        (STATEMENT, "Effect", json!("Deny"), 403),
        (STATEMENT, "Effect", json!("allow"), 500),
        (STATEMENT, "Effect", json!("ALLOW"), 500),
        (STATEMENT, "Effect", json!(""), 500),
        (STATEMENT, "Effect", json!(null), 500),
        (STATEMENT, "Effect", json!(["Allow"]), 500),
        (STATEMENT, "Action", json!(["execute-api:Invoke"]), 101),
        (STATEMENT, "Action", json!("*"), 101),
        (
            STATEMENT,
            "Action",
            json!("execute-api:ManageConnections"),
            403,
        ),
        (STATEMENT, "Action", json!(""), 500),
        (STATEMENT, "Action", json!([]), 500),
        (STATEMENT, "Action", json!([""]), 500),
        (STATEMENT, "Action", json!(null), 500),
        (STATEMENT, "Action", json!(1), 500),
        (STATEMENT, "Resource", json!([ARN]), 101),
        (STATEMENT, "Resource", json!(["*"]), 101),
        (
            STATEMENT,
            "Resource",
            json!("arn:aws:execute-api:*:*:other/*"),
            403,
        ),
        (STATEMENT, "Resource", json!(""), 500),
        (STATEMENT, "Resource", json!([]), 500),
        (STATEMENT, "Resource", json!(null), 500),
        (STATEMENT, "Condition", json!(null), 500),
        (STATEMENT, "Condition", json!({}), 500),
        (STATEMENT, "Principal", json!("*"), 500),
        (STATEMENT, "NotResource", json!("*"), 500),
    ] {
        let status = status(with(object, member, Some(&value))).await;
        assert_eq!(status, expected, "{object} {member}: {value}");
    }
}

/// See docs/local-vs-aws.md: "An authorizer that answers badly".
#[tokio::test]
async fn answer_that_is_not_an_object_is_500() {
    let mut members = vec![json!("user-42"), answer()["policyDocument"].clone()];
    members.extend([json!({}), json!(null)]);
    for answer in ["", "null", "{}", "true", r#""text""#, "not JSON"] {
        assert_eq!(status(answer).await, 500, "{answer}");
    }
    assert_eq!(status(json!(members).to_string()).await, 500);
}

/// A malformed answer is an error of the authorizer, even if its policy denies the client.
#[tokio::test]
async fn malformed_answer_with_deny_is_500() {
    let mut denied = answer();
    denied["policyDocument"]["Statement"][0]["Effect"] = json!("Deny");
    assert_eq!(status(denied.to_string()).await, 403);
    denied["context"]["list"] = json!([1]);
    assert_eq!(status(denied.to_string()).await, 500);
}
