//! Cross-origin requests.

use axum::http::{HeaderMap, Method};
use serde_json::json;

use super::harness::TestUrl;
use crate::{authentication::harness::Answer, gateway::harness::returned};

const CORS: &str = "FunctionUrlConfig: { AuthType: NONE, Cors: { \
    AllowOrigins: ['https://app.example', 'http://localhost:5173'], AllowMethods: [GET, POST], \
    AllowHeaders: [authorization, content-type], ExposeHeaders: [retry-after], MaxAge: 600, \
    AllowCredentials: true } }";

async fn start(properties: &str) -> TestUrl {
    TestUrl::start(properties, |_| {
        std::future::ready(returned(json!({
            "statusCode": 200,
            "headers": {"Access-Control-Allow-Origin": "https://function.example"},
        })))
    })
    .await
}

async fn preflight(url: &TestUrl, origin: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization"),
    ];
    url.send(Method::OPTIONS, "/poll", &headers, "").await
}

/// Returns the headers of a CORS answer.
fn cors_headers(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let headers = headers.iter();
    let mut headers: Vec<_> = headers
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .filter(|(name, _)| name.starts_with("access-control-") || *name == "vary")
        .collect();
    headers.sort_unstable();
    headers
}

#[tokio::test]
async fn url_answers_preflight_without_its_function() {
    let url = start(CORS).await;
    let answer = preflight(&url, "https://app.example").await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""));
    assert_eq!(
        cors_headers(&answer.headers),
        [
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-headers", "authorization,content-type"),
            ("access-control-allow-methods", "GET,POST"),
            ("access-control-allow-origin", "https://app.example"),
            ("access-control-expose-headers", "retry-after"),
            ("access-control-max-age", "600"),
            ("vary", "Origin"),
        ]
    );
    assert!(url.events().is_empty());
}

#[tokio::test]
async fn response_to_an_allowed_origin_has_the_headers_of_the_url() {
    let url = start(CORS).await;
    let headers = [("origin", "http://localhost:5173")];
    let answer = url.send(Method::POST, "/", &headers, "").await;
    assert_eq!(
        cors_headers(&answer.headers),
        [
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-origin", "http://localhost:5173"),
            ("access-control-expose-headers", "retry-after"),
            ("vary", "Origin"),
        ]
    );
    assert_eq!(url.events().len(), 1);
}

/// See docs/local-vs-aws.md: "Pages of other origins at a function URL"
#[tokio::test]
async fn origin_that_is_not_allowed_is_granted_nothing() {
    let url = start(CORS).await;
    for origin in ["https://evil.example", "https://app.example.evil", "null"] {
        let answer = preflight(&url, origin).await;
        assert_eq!(answer.status, 200);
        assert!(cors_headers(&answer.headers).is_empty(), "{origin}");
    }
    assert!(url.events().is_empty());
    let headers = [("origin", "https://evil.example")];
    let answer = url.send(Method::POST, "/", &headers, "").await;
    assert_eq!(
        cors_headers(&answer.headers),
        [("access-control-allow-origin", "https://function.example")],
        "the function's own header stays"
    );
}

#[tokio::test]
async fn any_origin_is_allowed_by_an_asterisk() {
    let url = start("FunctionUrlConfig: { AuthType: NONE, Cors: { AllowOrigins: ['*'] } }").await;
    let answer = preflight(&url, "https://any.example").await;
    assert_eq!(
        cors_headers(&answer.headers),
        [
            ("access-control-allow-origin", "https://any.example"),
            ("vary", "Origin"),
        ]
    );
}

#[tokio::test]
async fn options_that_are_no_preflight_reach_the_function() {
    let url = start(CORS).await;
    let answer = url.send(Method::OPTIONS, "/", &[], "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(url.events().len(), 1);
}

#[tokio::test]
async fn page_can_read_errors_and_preflights_need_no_signature() {
    let url =
        start("FunctionUrlConfig: { AuthType: AWS_IAM, Cors: { AllowOrigins: ['*'] } }").await;
    assert_eq!(preflight(&url, "https://app.example").await.status, 200);
    let headers = [("origin", "https://app.example")];
    let answer = url.send(Method::POST, "/", &headers, "").await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.headers["access-control-allow-origin"],
        "https://app.example"
    );
    assert!(url.events().is_empty());
}
