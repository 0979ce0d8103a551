//! Access of web pages to the console's requests.

use axum::http::{Method, StatusCode};

use super::harness::TestStack;

/// See docs/local-vs-aws.md: "A console at the address".
#[tokio::test]
async fn foreign_page_can_neither_read_nor_change_anything() {
    let stack = TestStack::start().await;
    let id = stack.send_message("Dead", "a").await;
    let message = format!("/console/queues/Dead/messages/{id}");
    for header in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("host", "evil.example"),
    ] {
        for (method, path) in [
            (Method::GET, "/console/stack.json"),
            (Method::GET, "/console/connections"),
            (Method::GET, "/console/queues"),
            (Method::GET, "/console/activity"),
            (Method::GET, "/console/console.js"),
            (Method::GET, "/console/nothing"),
            (Method::DELETE, "/console/connections/abc"),
            (Method::DELETE, &message),
            (Method::POST, &format!("{message}/replay")),
            (Method::OPTIONS, &message),
        ] {
            let answer = stack.send(method.clone(), path, &[header]).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
        }
    }
    assert_eq!(stack.queue("Dead").await["messages"][0]["messageId"], id);
}

#[tokio::test]
async fn page_of_the_stack_itself_can_delete_a_message() {
    let stack = TestStack::start().await;
    let id = stack.send_message("Dead", "a").await;
    let headers = [
        ("origin", stack.endpoint()),
        ("sec-fetch-site", "same-origin"),
    ];
    let path = format!("/console/queues/Dead/messages/{id}");
    let removed = stack.send(Method::DELETE, &path, &headers).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT, "{removed:?}");
}
