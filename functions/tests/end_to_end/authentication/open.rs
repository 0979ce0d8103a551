//! A stack without authentication: every client may connect, and is anonymous.

use herald_shared::{audience::Audience, store::seed::RowKey};
use herald_testkit::local_only;
use serde_json::json;

use super::upgrade::Upgrade;
use crate::harness::TestStack;

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn every_client_connects_and_tokens_are_ignored() {
    let stack = TestStack::start_with_parameters(&[("Authentication", "open")]).await;
    for upgrade in [
        Upgrade::default(),
        Upgrade::bearer("a.b.c"),
        Upgrade::bearer("a.b.c").and_query("d.e.f"),
        Upgrade::default().header("Origin", "https://anything.example"),
    ] {
        assert_eq!(
            upgrade.status(&stack.web_socket()).await,
            101,
            "{upgrade:?}"
        );
    }
    stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn client_with_a_token_stays_anonymous() {
    let stack = TestStack::start_with_parameters(&[("Authentication", "open")]).await;
    let mut client = stack.client_with("a.b.c").await;
    assert_eq!(client.ask(json!({"action": "ping"})).await["type"], "pong");
    let rows = stack.rows().await;
    let of_users = rows
        .iter()
        .filter(|row| matches!(row, RowKey::Listener(Audience::User(_), _)));
    assert_eq!((rows.len(), of_users.count()), (2, 0), "{rows:?}");
    stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn anonymous_clients_have_the_default_permissions() {
    let stack = TestStack::start_with_parameters(&[
        ("Authentication", "open"),
        ("DefaultPermissions", r#"{"news:*":["subscribe"]}"#),
    ])
    .await;
    let mut client = stack.client().await;
    client.subscribe("news:sport").await;
    let refused = json!({"action": "subscribe", "entityId": "order:1"});
    assert_eq!(client.ask(refused).await["code"], "forbidden");
    stack.stop().await;
}
