//! Access of web pages to the minting of tokens and to secrets.

use axum::http::{Method, StatusCode};
use herald_local::Authentication;

use super::harness::{Answer, TestStack};

const FROM_ELSEWHERE: [(&str, &str); 4] = [
    ("origin", "https://evil.example"),
    ("origin", "null"),
    ("sec-fetch-site", "cross-site"),
    ("host", "evil.example"),
];

const ALICE: &str = r#"{"userId":"alice"}"#;

/// See docs/local-vs-aws.md: "Tokens for the asking".
#[tokio::test]
async fn foreign_page_can_neither_mint_tokens_nor_read_secrets() {
    let stack = TestStack::start(Authentication::Secret, &[]).await;
    let read = format!(r#"{{"SecretId":"{}"}}"#, stack.variable("TOKEN_SECRET_ARN"));
    let target = ("x-amz-target", "secretsmanager.GetSecretValue");
    for header in FROM_ELSEWHERE {
        let minted = stack
            .send(Method::POST, "/auth/token", &[header], ALICE)
            .await;
        assert_refused(&minted);
        let read = stack
            .send(Method::POST, "/", &[header, target], &read)
            .await;
        assert_refused(&read);
    }
    let minted = stack.send(Method::POST, "/auth/token", &[], ALICE).await;
    assert_eq!(minted.status, StatusCode::OK);
    let read = stack.send(Method::POST, "/", &[target], &read).await;
    assert_eq!(read.status, StatusCode::OK);
    assert!(read.json()["SecretString"].is_string());
}

fn assert_refused(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
    assert_eq!(answer.json().as_object().unwrap().len(), 1, "{answer:?}");
}

#[tokio::test]
async fn page_of_the_stack_itself_can_mint_a_token() {
    let stack = TestStack::start(Authentication::Jwks, &[]).await;
    let headers = [
        ("origin", stack.endpoint()),
        ("sec-fetch-site", "same-origin"),
    ];
    let minted = stack
        .send(Method::POST, "/auth/token", &headers, ALICE)
        .await;
    assert_eq!(minted.status, StatusCode::OK, "{minted:?}");
}

#[tokio::test]
async fn no_response_has_cors_headers() {
    let stack = TestStack::start(Authentication::Jwks, &[]).await;
    let asks = [
        ("origin", "https://evil.example"),
        ("access-control-request-method", "POST"),
    ];
    for (method, path, headers) in [
        (Method::OPTIONS, "/auth/token", &asks[..]),
        (Method::POST, "/auth/token", &[]),
        (Method::GET, "/auth/jwks.json", &[]),
        (Method::GET, "/auth/.well-known/openid-configuration", &[]),
    ] {
        let answer = stack.send(method, path, headers, ALICE).await;
        let mut names = answer.headers.keys();
        assert!(names.all(|name| !name.as_str().starts_with("access-control-")));
        assert_eq!(answer.headers.get("access-control-allow-origin"), None);
    }
}
