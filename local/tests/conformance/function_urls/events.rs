//! The events of requests.

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::TestUrl;

/// Compares an event's headers, without those that differ from run to run.
fn take_headers(event: &mut Value) -> Value {
    let headers = event["headers"].as_object_mut().unwrap();
    let trace = headers.remove("x-amzn-trace-id").unwrap();
    assert!(trace.as_str().unwrap().starts_with("Root=1-"), "{trace}");
    event["headers"].take()
}

/// The shape that AWS documents, with the headers and the account that were recorded.
#[tokio::test]
async fn event_of_a_get_has_every_member_that_aws_sends() {
    let url = TestUrl::returning(json!({"statusCode": 204})).await;
    let host = url.address.trim_start_matches("http://");
    let answer = url
        .send(
            Method::GET,
            "/pa2%2Fth/1?q=query&multi=foo&multi=%2Fbar&empty",
            &[
                ("user-agent", "test/echo"),
                ("X-Mixed-Case", "With WeiRd CapS"),
                ("x-twice", "a"),
                ("x-twice", "b"),
                ("cookie", "a=1; b=2"),
            ],
            "",
        )
        .await;
    assert_eq!(answer.status, 204);
    let mut event = url.event();
    assert_eq!(
        take_headers(&mut event),
        json!({
            "host": host,
            "user-agent": "test/echo",
            "x-mixed-case": "With WeiRd CapS",
            "x-twice": "a,b",
            "x-amzn-tls-cipher-suite": "TLS_AES_128_GCM_SHA256",
            "x-amzn-tls-version": "TLSv1.3",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        })
    );
    let context = &mut event["requestContext"];
    let request_id = context["requestId"].take();
    assert_eq!(
        answer.headers["x-amzn-requestid"],
        request_id.as_str().unwrap()
    );
    let time = context["time"].take();
    let epoch = context["timeEpoch"].take();
    let written = chrono::DateTime::from_timestamp_millis(epoch.as_i64().unwrap()).unwrap();
    assert_eq!(
        time,
        written.format("%d/%b/%Y:%H:%M:%S +0000").to_string(),
        "{time} {epoch}"
    );
    let id = url.stack.function_urls[0].id.clone();
    assert_eq!(id.len(), 32);
    assert_eq!(
        event,
        json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": "/pa2%2Fth/1",
            "rawQueryString": "q=query&multi=foo&multi=%2Fbar&empty",
            "cookies": ["a=1", "b=2"],
            "headers": null,
            "queryStringParameters": {"q": "query", "multi": "foo,/bar", "empty": ""},
            "requestContext": {
                "accountId": "anonymous",
                "apiId": id,
                "domainName": host,
                "domainPrefix": id,
                "http": {
                    "method": "GET",
                    "path": "/pa2%2Fth/1",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": "test/echo",
                },
                "requestId": null,
                "routeKey": "$default",
                "stage": "$default",
                "time": null,
                "timeEpoch": null,
            },
            "isBase64Encoded": false,
        })
    );
}

#[tokio::test]
async fn event_of_the_root_without_query_has_no_parameters_and_no_body() {
    let url = TestUrl::returning(json!({})).await;
    url.get("").await;
    let event = url.event();
    assert_eq!(event["rawPath"], "/");
    assert_eq!(event["rawQueryString"], "");
    for absent in ["cookies", "queryStringParameters", "body"] {
        assert!(event.get(absent).is_none(), "{absent}");
    }
}

#[tokio::test]
async fn every_method_reaches_the_function() {
    let url = TestUrl::returning(json!({})).await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        assert_eq!(url.send(method, "/", &[], "").await.status, 200);
    }
    let events = url.events();
    let methods = events
        .iter()
        .map(|event| event["requestContext"]["http"]["method"].as_str().unwrap());
    assert_eq!(
        methods.collect::<Vec<_>>(),
        ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
    );
}

/// See docs/local-vs-aws.md: "Text and binary bodies"
#[tokio::test]
async fn body_is_text_or_base64_by_its_content_type() {
    for (content_type, sent, body, is_base64_encoded) in [
        (Some("application/json"), "{\"ü\":1}", "{\"ü\":1}", false),
        (Some("text/plain; charset=utf-8"), "text", "text", false),
        (Some("application/octet-stream"), "abc", "YWJj", true),
        (
            Some("application/x-www-form-urlencoded"),
            "a=1",
            "YT0x",
            true,
        ),
        (None, "abc", "YWJj", true),
    ] {
        let url = TestUrl::returning(json!({})).await;
        let headers: Vec<_> = content_type
            .map(|value| ("content-type", value))
            .into_iter()
            .collect();
        url.send(Method::POST, "/", &headers, sent).await;
        let event = url.event();
        assert_eq!(event["body"], body, "{content_type:?}");
        assert_eq!(
            event["isBase64Encoded"], is_base64_encoded,
            "{content_type:?}"
        );
        let length = sent.len().to_string();
        assert_eq!(
            event["headers"]["content-length"], length,
            "{content_type:?}"
        );
    }
}

#[tokio::test]
async fn page_of_another_origin_reaches_a_url_without_cors() {
    let url = TestUrl::returning(json!({})).await;
    let headers = [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ];
    let answer = url.send(Method::POST, "/", &headers, "").await;
    assert_eq!(answer.status, 200);
    let mut names = answer.headers.keys();
    assert!(!names.any(|name| name.as_str().starts_with("access-control")));
}
