//! Minted tokens, and the keys that verify them.

use axum::http::{Method, StatusCode};
use herald_local::{Authentication, issuer::TokenRequest};
use jsonwebtoken::{
    Algorithm, DecodingKey, TokenData, Validation, decode, decode_header, jwk::JwkSet,
};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;

use super::harness::TestStack;

const ALICE: &str = r#"{"userId":"alice","permissions":{"order:*":["subscribe"]},"expiresIn":60}"#;

/// Decodes a token if its signature is valid; nothing else is checked.
fn decoded(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Option<TokenData<Value>> {
    let mut validation = Validation::new(algorithm);
    validation.validate_aud = false;
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    decode(token, key, &validation).ok()
}

fn claims(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Value {
    let decoded = decoded(token, key, algorithm);
    decoded.expect("a valid signature").claims
}

/// Returns the key that the issuer publishes for a token, by way of its discovery document.
async fn published_key(stack: &TestStack, token: &str) -> DecodingKey {
    let issuer = stack.variable("TOKEN_ISSUER");
    let root = issuer.strip_prefix(stack.endpoint()).unwrap();
    let discovery = format!("{root}/.well-known/openid-configuration");
    let discovered = stack.get(&discovery).await.json();
    assert_eq!(discovered["issuer"], issuer);
    let keys = discovered["jwks_uri"].as_str().unwrap();
    let keys = stack
        .get(keys.strip_prefix(stack.endpoint()).unwrap())
        .await;
    assert_eq!(keys.headers["content-type"], "application/json");
    assert!(!keys.body.contains(r#""d""#), "a private key: {keys:?}");
    let set: JwkSet = serde_json::from_str(&keys.body).unwrap();
    let id = decode_header(token).unwrap().kid.unwrap();
    DecodingKey::from_jwk(set.find(&id).unwrap()).unwrap()
}

#[tokio::test]
async fn token_is_signed_with_the_published_key() {
    let stack = TestStack::start(Authentication::Jwks, &[]).await;
    let answer = stack.post_token(ALICE).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let token = answer.json();
    let text = token["token"].as_str().unwrap();
    let key = published_key(&stack, text).await;
    let claims = claims(text, &key, Algorithm::ES256);
    let issued_at = claims["iat"].as_i64().unwrap();
    let expected = json!({
        "iss": stack.variable("TOKEN_ISSUER"),
        "sub": "alice",
        "aud": stack.variable("TOKEN_AUDIENCE"),
        "iat": issued_at,
        "exp": issued_at + 60,
        "herald": {"order:*": ["subscribe"]},
    });
    assert_eq!(claims, expected);
    assert_eq!(token["expiresAt"], expected["exp"]);
    assert_eq!(stack.variable("AUTHENTICATION"), "jwks");

    let other = TestStack::start(Authentication::Jwks, &[]).await;
    let token = other.running.mint(&TokenRequest {
        user_id: "alice".to_owned(),
        ..TokenRequest::default()
    });
    let text = token.unwrap().token;
    assert!(
        decoded(&text, &key, Algorithm::ES256).is_none(),
        "both stacks have the same key"
    );
}

#[tokio::test]
async fn token_has_the_requested_claims() {
    let parameters = [("TokenAudience", "first, second")];
    let stack = TestStack::start(Authentication::Jwks, &parameters).await;
    let minted = async |request: TokenRequest| {
        let token = stack.running.mint(&request).unwrap();
        let key = published_key(&stack, &token.token).await;
        let mut claims = claims(&token.token, &key, Algorithm::ES256);
        let issued_at = claims["iat"].as_i64().unwrap();
        assert_eq!(claims["exp"], token.expires_at);
        let claims = claims.as_object_mut().unwrap();
        claims.insert("exp".to_owned(), json!(token.expires_at - issued_at));
        claims.retain(|name, _| !["iss", "sub", "iat"].contains(&name.as_str()));
        json!(claims)
    };
    let asked = TokenRequest {
        user_id: "bob".to_owned(),
        ..TokenRequest::default()
    };
    assert_eq!(
        minted(asked.clone()).await,
        json!({"aud": "first", "exp": 3600})
    );
    let strange = TokenRequest {
        permissions: Some(json!("everything")),
        expires_in: Some(-60),
        not_before: Some(4_000_000_000),
        audience: Some("other".to_owned()),
        ..asked
    };
    assert_eq!(
        minted(strange).await,
        json!({"aud": "other", "nbf": 4_000_000_000_i64, "exp": -60, "herald": "everything"})
    );
}

#[tokio::test]
async fn token_is_signed_with_the_secret_of_the_stack() {
    let stack = TestStack::start(Authentication::Secret, &[]).await;
    let arn = stack.variable("TOKEN_SECRET_ARN");
    let secret = async || {
        let read = stack.secrets().get_secret_value().secret_id(arn);
        read.send().await.unwrap().secret_string.unwrap()
    };
    let key = |secret: &str| DecodingKey::from_secret(secret.as_bytes());
    let token = async || {
        let token = stack.post_token(ALICE).await.json()["token"].clone();
        token.as_str().unwrap().to_owned()
    };
    let first = key(&secret().await);
    let claims = claims(&token().await, &first, Algorithm::HS256);
    assert_eq!(claims["sub"], "alice");
    assert_eq!(claims["aud"], stack.variable("TOKEN_AUDIENCE"));
    assert_eq!(stack.variable("AUTHENTICATION"), "secret");
    assert_eq!(stack.variable("TOKEN_ISSUER"), "");

    let put = stack.secrets().put_secret_value().secret_id(arn);
    put.secret_string("another").send().await.unwrap();
    assert_eq!(secret().await, "another");
    let token = token().await;
    assert!(decoded(&token, &first, Algorithm::HS256).is_none());
    assert!(decoded(&token, &key("another"), Algorithm::HS256).is_some());
}

#[tokio::test]
async fn stack_that_accepts_no_own_tokens_mints_none() {
    let open = TestStack::start(Authentication::Open, &[]).await;
    let parameters = [("TokenIssuer", "https://issuer.example")];
    let elsewhere = TestStack::start(Authentication::Jwks, &parameters).await;
    for (stack, expected) in [
        (
            open,
            "this stack accepts no tokens: start herald-local with --auth jwks or --auth secret",
        ),
        (
            elsewhere,
            "this stack accepts tokens of https://issuer.example: get one there, or remove the parameter \
             TokenIssuer",
        ),
    ] {
        let answer = stack.post_token(ALICE).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.message(), expected);
        assert_eq!(
            stack.get("/auth/jwks.json").await.status,
            StatusCode::NOT_FOUND
        );
        assert_eq!(stack.running.addresses().tokens, None);
        assert_eq!(
            stack
                .running
                .mint(&TokenRequest::default())
                .unwrap_err()
                .to_string(),
            expected
        );
        connect_async(&stack.running.addresses().web_socket)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn invalid_token_request_is_refused_with_an_example() {
    let stack = TestStack::start(Authentication::Secret, &[]).await;
    let like = r#"send JSON like {"userId":"alice","permissions":{"order-*":["subscribe"]},"expiresIn":3600}: "#;
    for (body, expected) in [
        ("", format!("{like}EOF while parsing")),
        ("userId=alice", format!("{like}expected value")),
        ("{}", format!("{like}missing field `userId`")),
        (
            r#"{"userId":"alice","expires":60}"#,
            format!("{like}unknown field `expires`"),
        ),
        (
            r#"{"userId":"alice","expiresIn":"1h"}"#,
            format!("{like}invalid type"),
        ),
        (
            r#"{"userId":""}"#,
            "userId is empty: name the user of the token".to_owned(),
        ),
        (
            r#"{"userId":"alice","expiresIn":9223372036854775807}"#,
            "expiresIn is out of range: give the seconds until the token expires, e.g. 3600"
                .to_owned(),
        ),
    ] {
        let answer = stack.post_token(body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        let message = answer.message();
        assert!(message.starts_with(&expected), "{message}");
    }
    let got = stack.get("/auth/token").await;
    assert_eq!(got.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(got.headers["allow"], "POST");
    let posted = stack.send(Method::POST, "/auth/jwks.json", &[], "").await;
    assert_eq!(posted.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn parameters_override_the_requested_authentication() {
    let parameters = [("Authentication", "secret")];
    let stack = TestStack::start(Authentication::Jwks, &parameters).await;
    let addresses = stack.running.addresses();
    assert_eq!(addresses.authentication, Authentication::Secret);

    let nothing = [("Authentication", "")];
    let refused = TestStack::try_start(Authentication::Open, &nothing).await;
    let sentence = refused.err().unwrap().to_string();
    let expected = ": Rules.AuthenticationIsChosen.Assertions[0]: choose how clients prove who they \
                    are: Authentication is open, secret or jwks";
    assert!(sentence.ends_with(expected), "{sentence}");
}

/// An authorizer may fetch its keys or its secret before it requests its first event.
#[tokio::test]
async fn stack_answers_a_function_that_is_still_starting() {
    let stack = TestStack::run(|config| {
        let ask = ("AT_START".to_owned(), "ask".to_owned());
        config.environment.extend([ask]);
    });
    let stack = stack.await.unwrap_or_else(|error| panic!("{error:#}"));
    connect_async(&stack.running.addresses().web_socket)
        .await
        .unwrap();
}
