//! Tokens and key sets in the formats of common issuers.

use herald_testkit::local_only;
use serde_json::{Value, json};

use super::{
    issuer::{AUDIENCE, Issuer},
    keys::{Rsa, token},
    now,
    upgrade::status,
};

fn signed(key: &Rsa, id: &str, claims: &Value) -> String {
    token(&json!({"kid": id, "alg": "RS256"}), claims, |message| {
        key.sign(message)
    })
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn cognito_id_and_access_tokens_are_accepted() {
    let (key, other) = (Rsa::new(), Rsa::new());
    // A user pool has two keys, roughly one for each kind of token.
    let keys = vec![
        key.jwk("Hb0pXJZ1vKqKqHqYzYbG7m1Oe0Wm3JrN1n4kq0h3c2s="),
        other.jwk("q8mVn2pSY0Qz0V6WvJm7c0L0eXk5dY9oR3tB1uF4a6A="),
    ];
    let issuer = Issuer::start("/eu-west-1_aB3dEfGhI", keys).await;
    let stack = issuer.stack().await;
    let sub = "7d8ca528-4931-4254-9273-ea5ee853f271";
    let common = json!({
        "sub": sub, "iss": issuer.name, "origin_jti": "b6f8a0f0-6b0e-4c35-9f52-0d1a7d1f0a11",
        "event_id": "64f513be-32db-42b0-b78e-b02127b4f463", "auth_time": now(), "iat": now(),
        "exp": now() + 3600, "jti": "3a1c1c53-7f0c-4a0b-8a4b-2f7f3bb9a7c1",
        "cognito:groups": ["drivers"],
    });
    let with = |more: Value| {
        let mut claims = common.clone();
        let more = more.as_object().unwrap().clone();
        claims.as_object_mut().unwrap().extend(more);
        claims
    };
    let id_token = with(json!({
        "aud": AUDIENCE, "token_use": "id", "cognito:username": sub, "email_verified": true,
        "email": "alice@example.com", "herald": {"order:*": ["subscribe"]},
    }));
    let access_token = with(json!({
        "client_id": AUDIENCE, "token_use": "access", "version": 2, "username": sub,
        "scope": "aws.cognito.signin.user.admin openid",
    }));
    let elsewhere = with(json!({"client_id": "another-app", "token_use": "access"}));
    let first = "Hb0pXJZ1vKqKqHqYzYbG7m1Oe0Wm3JrN1n4kq0h3c2s=";
    let second = "q8mVn2pSY0Qz0V6WvJm7c0L0eXk5dY9oR3tB1uF4a6A=";
    let _clients = [
        stack.client_with(&signed(&key, first, &id_token)).await,
        stack
            .client_with(&signed(&other, second, &access_token))
            .await,
    ];
    assert_eq!(stack.connections_of(sub).await.len(), 2);
    let with_other_key = signed(&other, first, &access_token);
    assert_eq!(status(&stack, &with_other_key).await, 401);
    let for_other_client = signed(&other, second, &elsewhere);
    assert_eq!(status(&stack, &for_other_client).await, 401);
    stack.stop().await;
    issuer.stop();
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn auth0_tokens_are_accepted() {
    let key = Rsa::new();
    let id = "NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2MDAyQjVDNjk1RTM2Qg";
    let mut jwk = key.jwk(id);
    let certificate = json!(["MIIDBzCCAe+gAwIBAgIJakoPho0MJr56MA0GCSqGSIb3DQEBCwUAMCExHzAdBg"]);
    let published = jwk.as_object_mut().unwrap();
    published.insert("x5c".to_owned(), certificate);
    published.insert("x5t".to_owned(), json!(id));
    // The name of an Auth0 tenant ends with a slash.
    let issuer = Issuer::start("/", vec![jwk]).await;
    let stack = issuer.stack().await;
    let claims = |audience: Value| {
        json!({
            "iss": issuer.name, "sub": "auth0|5f7c8ec7c33c6c004bbafe82", "aud": audience,
            "iat": now(), "exp": now() + 86400, "scope": "openid profile email",
            "azp": "my_client_id", "herald": {"room:**": ["subscribe", "publish"]},
        })
    };
    let user_info = format!("{}userinfo", issuer.name);
    let access_token = claims(json!([AUDIENCE, user_info]));
    assert_eq!(status(&stack, &signed(&key, id, &access_token)).await, 101);
    let of_user_info = claims(json!([user_info]));
    assert_eq!(status(&stack, &signed(&key, id, &of_user_info)).await, 401);
    stack.stop().await;
    issuer.stop();
}
