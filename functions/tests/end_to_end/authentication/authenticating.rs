//! The action `authenticate`: the renewal of an open connection's token.

use herald_local::issuer::{Token, TokenRequest};
use herald_testkit::local_only;
use serde_json::{Value, json};

use crate::{
    ending::end_token,
    harness::{Client, TestStack},
};

const PERMISSIONS: &str = r#"{"order:*":["subscribe"]}"#;

fn mint(stack: &TestStack, user: &str, permissions: &str, expires_in: i64) -> Token {
    let request = TokenRequest {
        user_id: user.to_owned(),
        permissions: Some(serde_json::from_str(permissions).unwrap()),
        expires_in: Some(expires_in),
        ..TokenRequest::default()
    };
    stack.running().mint(&request).unwrap()
}

async fn authenticate(client: &mut Client, token: &str) -> Value {
    client
        .ask(json!({"action": "authenticate", "token": token, "id": "1"}))
        .await
}

/// Returns the ends of tokens on the rows of the stack's connections.
async fn ends(stack: &TestStack) -> Vec<String> {
    let items = stack.items().await;
    items
        .iter()
        .map(|item| item["tokenExpiresAt"].as_n().unwrap().clone())
        .collect()
}

#[local_only("needs tokens, which the local stack signs")]
#[tokio::test]
async fn newer_token_renews_every_row_of_the_connection() {
    let stack = TestStack::start_with_users().await;
    let first = mint(&stack, "alice", PERMISSIONS, 60);
    let mut client = stack.client_with(&first.token).await;
    client.subscribe("order:1").await;
    let newer = mint(&stack, "alice", PERMISSIONS, 3600);
    assert_eq!(
        authenticate(&mut client, &newer.token).await,
        json!({
            "type": "ack", "action": "authenticate", "expiresAt": newer.expires_at, "id": "1",
        })
    );
    let expected = newer.expires_at.to_string();
    let ends = ends(&stack).await;
    assert_eq!(ends.len(), 4);
    assert!(ends.iter().all(|end| *end == expected), "{ends:?}");
    stack.stop().await;
}

#[local_only("needs tokens, which the local stack signs")]
#[tokio::test]
async fn token_with_another_identity_is_refused() {
    let stack = TestStack::start_with_users().await;
    let first = mint(&stack, "alice", PERMISSIONS, 600);
    let mut client = stack.client_with(&first.token).await;
    let expired = mint(&stack, "alice", PERMISSIONS, -60).token;
    let other_user = mint(&stack, "bob", PERMISSIONS, 3600).token;
    let more = mint(&stack, "alice", r#"{"**":["subscribe"]}"#, 3600).token;
    let less = mint(&stack, "alice", "{}", 3600).token;
    let malformed = mint(&stack, "alice", "7", 3600).token;
    let truncated = &first.token[..first.token.len() - 5];
    for (token, code) in [
        (other_user.as_str(), "forbidden"),
        (&more, "forbidden"),
        (&less, "forbidden"),
        (&malformed, "forbidden"),
        (&expired, "unauthorized"),
        (truncated, "unauthorized"),
        ("", "unauthorized"),
        ("é", "unauthorized"),
        (&"x".repeat(9000), "unauthorized"),
    ] {
        let answer = authenticate(&mut client, token).await;
        assert_eq!(
            (&answer["type"], &answer["code"]),
            (&json!("error"), &json!(code)),
            "{token}"
        );
        assert_eq!(
            (&answer["action"], &answer["id"]),
            (&json!("authenticate"), &json!("1"))
        );
    }
    let expected = first.expires_at.to_string();
    assert!(ends(&stack).await.iter().all(|end| *end == expected));
    stack.stop().await;
}

#[local_only("needs tokens, which the local stack signs")]
#[tokio::test]
async fn frame_cannot_set_its_user() {
    let stack = TestStack::start_with_users().await;
    let alice = mint(&stack, "alice", PERMISSIONS, 600).token;
    let mut client = stack.client_with(&alice).await;
    let bob = mint(&stack, "bob", PERMISSIONS, 600).token;
    let frame = json!({
        "action": "authenticate", "token": bob, "userId": "bob", "principalId": "bob",
        "authorizer": {"userId": "bob"},
    });
    assert_eq!(client.ask(frame).await["code"], "forbidden");
    let missing = json!({"action": "authenticate"});
    assert_eq!(client.ask(missing).await["code"], "bad_request");
    let number = json!({"action": "authenticate", "token": 7});
    assert_eq!(client.ask(number).await["code"], "bad_request");
    stack.stop().await;
}

#[local_only("needs tokens, which the local stack signs")]
#[tokio::test]
async fn ended_token_can_still_be_renewed() {
    let stack = TestStack::start_with_users().await;
    let first = mint(&stack, "alice", PERMISSIONS, 600);
    let mut client = stack.client_with(&first.token).await;
    end_token(&stack, "alice").await;
    let subscribe = json!({"action": "subscribe", "entityId": "order:1"});
    assert_eq!(client.ask(subscribe).await["code"], "unauthorized");
    let newer = mint(&stack, "alice", PERMISSIONS, 3600);
    let answer = authenticate(&mut client, &newer.token).await;
    assert_eq!(answer["expiresAt"], newer.expires_at);
    client.subscribe("order:1").await;
    stack.stop().await;
}

#[tokio::test]
async fn authenticate_without_authentication_is_refused() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    let answer = authenticate(&mut client, "a.b.c").await;
    assert_eq!(answer["code"], "bad_request");
    assert_eq!(
        answer["message"],
        "connections have no tokens here, so there is none to renew"
    );
    stack.stop().await;
}
