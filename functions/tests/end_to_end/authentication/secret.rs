//! Tokens that are signed with a secret.

use herald_testkit::local_only;
use serde_json::{Value, json};

use super::{
    keys::{Rsa, hmac_with, token},
    now,
    upgrade::status,
};
use crate::harness::{TestStack, until};

const SECRET: &str = "correct horse battery staple, and a bit more";
const NEW_SECRET: &str = "wrong horse, other battery, no staple; and a bit more";

fn claims() -> Value {
    json!({"sub": "alice", "exp": now() + 600})
}

fn hs256(secret: &str) -> String {
    let header = json!({"alg": "HS256", "typ": "JWT"});
    token(&header, &claims(), |message| {
        hmac_with(secret.as_bytes(), message)
    })
}

async fn put_secret(stack: &TestStack, secret: &str) {
    let secrets = aws_sdk_secretsmanager::Client::new(stack.aws());
    let arn = &stack.running().stack().outputs["TokenSecretArn"];
    let put = secrets.put_secret_value().secret_id(arn);
    put.secret_string(secret).send().await.unwrap();
}

async fn start() -> TestStack {
    TestStack::start_with_parameters(&[("Authentication", "secret")]).await
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn only_a_token_signed_with_the_secret_is_accepted() {
    let stack = start().await;
    put_secret(&stack, SECRET).await;
    let rsa = Rsa::new();
    let with_algorithm = |algorithm: &str| {
        let header = json!({"alg": algorithm});
        token(&header, &claims(), |message| {
            hmac_with(SECRET.as_bytes(), message)
        })
    };
    let with_audience = {
        let mut claims = claims();
        claims["aud"] = json!("somebody");
        let header = json!({"alg": "HS256"});
        token(&header, &claims, |message| {
            hmac_with(SECRET.as_bytes(), message)
        })
    };
    for (token, expected) in [
        (hs256(SECRET), 101),
        (hs256(NEW_SECRET), 401),
        (hs256(""), 401),
        (with_algorithm("HS512"), 401),
        (with_algorithm("RS256"), 401),
        (with_algorithm("none"), 401),
        (
            token(&json!({"alg": "none"}), &claims(), |_| Vec::new()),
            401,
        ),
        (
            token(&json!({"alg": "RS256"}), &claims(), |m| rsa.sign(m)),
            401,
        ),
        (with_audience, 401),
        (hs256(SECRET), 101),
    ] {
        assert_eq!(status(&stack, &token).await, expected, "{token}");
    }
    stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn rotated_secret_is_fetched_again() {
    let stack = start().await;
    put_secret(&stack, SECRET).await;
    assert_eq!(status(&stack, &hs256(SECRET)).await, 101);
    put_secret(&stack, NEW_SECRET).await;
    assert_eq!(status(&stack, &hs256(NEW_SECRET)).await, 101);
    assert_eq!(status(&stack, &hs256(SECRET)).await, 401);
    stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn short_secret_refuses_every_client() {
    let stack = start().await;
    put_secret(&stack, "secret").await;
    assert_eq!(status(&stack, &hs256("secret")).await, 500);
    put_secret(&stack, SECRET).await;
    until("a client is admitted", async || {
        status(&stack, &hs256(SECRET)).await == 101
    })
    .await;
    stack.stop().await;
}
