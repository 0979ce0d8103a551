//! The responses of functions' results.

use serde_json::json;

use super::harness::{PUBLIC, TestUrl};
use crate::gateway::harness::failed;

/// The results and responses that LocalStack's tests recorded from AWS.
#[tokio::test]
async fn result_without_status_code_is_the_body() {
    for (result, body) in [
        (json!({"hello": "world"}), r#"{"hello":"world"}"#),
        (json!(["hello", 3, true]), r#"["hello",3,true]"#),
        (json!("hello"), "hello"),
        (json!(3), "3"),
        (json!(3.1), "3.1"),
        (json!(true), "true"),
        (json!(null), "null"),
        (json!({"body": "b"}), r#"{"body":"b"}"#),
    ] {
        let url = TestUrl::returning(result.clone()).await;
        let answer = url.get("/").await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, body));
        assert_eq!(
            answer.headers["content-type"], "application/json",
            "{result}"
        );
        assert_eq!(answer.headers["content-length"], body.len().to_string());
    }
}

#[tokio::test]
async fn result_with_status_code_is_the_response() {
    let url = TestUrl::returning(json!({
        "statusCode": 201,
        "headers": {"Content-Type": "text/plain", "My-Custom-Header": "Custom Value", "X-Number": 7},
        "body": "created",
        "cookies": ["a=1; Max-Age=78000", "b=2"],
        "isBase64Encoded": false,
    }))
    .await;
    let answer = url.get("/").await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.body, "created");
    assert_eq!(answer.headers["content-type"], "text/plain");
    assert_eq!(answer.headers["my-custom-header"], "Custom Value");
    assert_eq!(answer.headers["x-number"], "7");
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1; Max-Age=78000", "b=2"]);
}

#[tokio::test]
async fn status_code_may_be_text_and_the_body_base64() {
    let result = json!({"statusCode": "418", "body": "dGVhcG90", "isBase64Encoded": true});
    let answer = TestUrl::returning(result).await.get("/").await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_str()),
        (418, "teapot")
    );
    let answer = TestUrl::returning(json!({"statusCode": 202}))
        .await
        .get("/")
        .await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (202, ""));
}

/// See docs/local-vs-aws.md: "Malformed responses of functions"
#[tokio::test]
async fn malformed_response_is_502() {
    for result in [
        json!({"statusCode": 99}),
        json!({"statusCode": "many"}),
        json!({"statusCode": 200, "body": {"not": "text"}}),
        json!({"statusCode": 200, "body": "not base64!", "isBase64Encoded": true}),
        json!({"statusCode": 200, "headers": ["a"]}),
        json!({"statusCode": 200, "headers": {"not a name": "a"}}),
        json!({"statusCode": 200, "cookies": "a=1"}),
    ] {
        let url = TestUrl::returning(result.clone()).await;
        let answer = url.get("/").await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.as_str()),
            (502, "Internal Server Error"),
            "{result}"
        );
    }
}

/// Recorded by LocalStack's tests.
#[tokio::test]
async fn function_error_is_502_without_its_text() {
    let url = TestUrl::start(PUBLIC, |_| std::future::ready(failed("a secret"))).await;
    let answer = url.get("/").await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.body, "Internal Server Error");
    assert!(answer.headers.contains_key("x-amzn-requestid"));
}
