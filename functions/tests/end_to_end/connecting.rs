//! Connecting and disconnecting, and the rows of a connection.

use std::{
    net::IpAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use herald_local::lambda::{Invocation, Invoke};
use herald_testkit::local_only;
use serde_json::{Value, json};

use herald_shared::store::seed::RowKey;

use crate::{
    harness::{Client, TestStack, until},
    sample_events::sample,
};

#[tokio::test]
async fn connection_is_stored_with_its_client() {
    let stack = TestStack::start().await;
    let (_client, _) = Client::connect_with(&stack.web_socket(), "user-agent", "test/1.0").await;
    let items = stack.items().await;
    let own = |item| matches!(RowKey::of(item), Some(RowKey::Connection(_)));
    let item = items.iter().find(|item| own(*item)).unwrap();
    let text = |name: &str| item[name].as_s().unwrap().clone();
    let number = |name: &str| item[name].as_n().unwrap().parse::<u64>().unwrap();
    let address: IpAddr = text("ipAddress").parse().unwrap();
    assert!(stack.local().is_none() || address.is_loopback());
    assert_eq!(text("userAgent"), "test/1.0");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    assert!(number("connectedAt") <= u64::try_from(now.as_millis()).unwrap());
    // Two hours, the maximum lifetime of a connection, and a margin.
    let lifetime = number("expiresAt") - number("connectedAt") / 1000;
    assert!((7200..9000).contains(&lifetime), "{lifetime}");
    stack.stop().await;
}

#[local_only("API Gateway's handling of such a header is unknown")]
#[tokio::test]
async fn non_ascii_header_does_not_refuse_a_client() {
    let stack = TestStack::start().await;
    let mut client = Client::connect_with(&stack.web_socket(), "x-device", "Zoë’s")
        .await
        .0;
    client.subscribe("order-1").await;
    stack.stop().await;
}

#[tokio::test]
async fn requested_subprotocol_is_answered() {
    let stack = TestStack::start().await;
    for (offered, answered) in [
        ("herald.v1", "herald.v1"),
        ("websocket, a.b.c", "websocket"),
    ] {
        let name = "sec-websocket-protocol";
        let (_client, headers) = Client::connect_with(&stack.web_socket(), name, offered).await;
        assert_eq!(headers[name], answered);
    }
    stack.stop().await;
}

/// AWS documents only this spelling. Source:
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-connect-route-subprotocol.html>
#[local_only("invokes a function directly")]
#[tokio::test]
async fn connect_spells_the_subprotocol_header_as_documented() {
    let stack = TestStack::start().await;
    let mut event: Value = serde_json::from_str(&sample("connect.json")).unwrap();
    event["headers"]["Sec-WebSocket-Protocol"] = json!("a.b.c, herald.v1");
    event["multiValueHeaders"]["Sec-WebSocket-Protocol"] = json!(["a.b.c, herald.v1"]);
    let host = stack.running().functions().unwrap();
    let invocation = host.invoke("ConnectFunction", event.to_string().into());
    let Invocation::Returned(answer) = invocation.await else {
        panic!("the function failed")
    };
    assert_eq!(
        answer,
        r#"{"statusCode":200,"headers":{"Sec-WebSocket-Protocol":"herald.v1"}}"#
    );
    stack.stop().await;
}

#[local_only("needs tokens, which the local stack signs")]
#[tokio::test]
async fn client_that_disconnects_leaves_no_row() {
    let stack = TestStack::start_with_users().await;
    let mut leaving = stack.client_of("ann").await;
    let mut staying = stack.client_of("ben").await;
    staying.subscribe("order-1").await;
    let staying_rows = 4;
    // More than one batch of deletes.
    for number in 0..30 {
        leaving.subscribe(&format!("order-{number}")).await;
    }
    assert_eq!(stack.rows().await.len(), staying_rows + 33);
    leaving.close().await;
    until("only the other's rows are left", async || {
        stack.rows().await.len() == staying_rows
    })
    .await;
    drop(staying);
    until("no row is left", async || stack.rows().await.is_empty()).await;
    stack.stop().await;
}
