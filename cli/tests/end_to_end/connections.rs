//! `herald connections`.

use std::time::Duration;

use herald_client::{Client, ConnectionState, EntityId, Options, StopReason};
use herald_local::{Authentication, issuer::TokenRequest};
use serde_json::json;

use crate::harness::{TestStack, in_time, json_lines, until};

/// Connects a client with a token that allows it to subscribe to everything.
async fn client(stack: &TestStack, user: &str) -> Client {
    let token = stack.running.mint(&TokenRequest {
        user_id: user.to_owned(),
        permissions: Some(json!({"**": ["subscribe"]})),
        info: None,
        expires_in: None,
        not_before: None,
        audience: None,
    });
    let token = token.expect("a token").token;
    let options = Options::new().token(move || {
        let token = token.clone();
        async move { Ok::<_, std::io::Error>(token) }
    });
    let connected = Client::connect(&stack.running.addresses().web_socket, options);
    in_time("a client connected", connected)
        .await
        .expect("a connection")
}

#[tokio::test]
async fn connections_can_be_listed_inspected_and_kicked() {
    let stack = TestStack::start(Authentication::Secret).await;
    let alice = client(&stack, "alice").await;
    let bob = client(&stack, "bob").await;
    let order = EntityId::new("order-1").expect("an id");
    let _subscription = bob.subscribe(order).await.expect("a subscription");

    let list = async |arguments: &[&str]| {
        let arguments = [&["connections", "list", "--json"], arguments].concat();
        json_lines(&stack.done(&arguments).await)
    };
    assert_eq!(list(&[]).await.len(), 2);
    assert_eq!(list(&["--limit", "1"]).await.len(), 1);
    let of_bob = list(&["--user", "bob", "--long"]).await;
    assert_eq!(of_bob, list(&["--entity", "order-1", "--long"]).await);
    let of_bob = &of_bob[0];
    assert_eq!(
        (&of_bob["userId"], &of_bob["subscriptions"]),
        (&json!("bob"), &json!(1))
    );
    let id = of_bob["connectionId"].as_str().expect("an id");
    let long = ["connections", "list", "--user", "bob", "--long"];
    let long = stack.done(&long).await;
    assert!(long.trim_end().ends_with("  1 subscription"), "{long}");
    let lines = stack
        .done(&["connections", "list", "--entity", "order-1"])
        .await;
    assert_eq!(lines.trim(), id);
    let none = ["connections", "list", "--entity", "nothing"];
    let none = stack.herald(&none).run("").await;
    assert_eq!(
        (none.stdout.as_str(), none.stderr.as_str()),
        ("", "no connections found\n")
    );

    let inspected = stack.done(&["connections", "inspect", id, "--json"]).await;
    let inspected = &json_lines(&inspected)[0];
    for (name, value) in [
        ("connectionId", json!(id)),
        ("open", json!(true)),
        ("stored", json!(true)),
        ("userId", json!("bob")),
        ("sourceIp", json!("127.0.0.1")),
        ("entities", json!(["order-1"])),
    ] {
        assert_eq!(inspected[name], value, "{name}");
    }
    for name in ["connectedAt", "lastActiveAt", "tokenExpiresAt", "expiresAt"] {
        let text = inspected[name].as_str().expect(name);
        assert!(text.starts_with("20") && text.ends_with('Z'), "{text}");
    }
    let text = stack.done(&["connections", "inspect", id]).await;
    assert!(text.contains("subscribed to  order-1"), "{text}");

    // The client reconnects as another connection.
    let closed = stack.done(&["connections", "kick", id]).await;
    assert_eq!(closed.trim(), format!("closed {id}"));
    let gateway = stack.running.gateway();
    until("bob has reconnected", || {
        let open = gateway.open_connections();
        open.len() == 2 && !open.iter().any(|open| open.connection_id == id)
    })
    .await;
    for command in ["kick", "inspect"] {
        let gone = async || stack.herald(&["connections", command, id]).run("").await;
        // The rows are deleted shortly after the socket is closed.
        let mut ended = gone().await;
        while ended.code == Some(0) {
            ended = gone().await;
        }
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains("connection"), "{}", ended.stderr);
    }

    let kick = [
        "connections",
        "kick",
        "--user",
        "alice",
        "--reason",
        "enough",
    ];
    assert!(!stack.done(&kick).await.trim().is_empty());
    let mut states = alice.states();
    let stopped = states.wait_for(|state| matches!(state, ConnectionState::Stopped(_)));
    let stopped = in_time("alice is stopped", stopped)
        .await
        .expect("a state")
        .clone();
    let ConnectionState::Stopped(StopReason::Disconnected { reason, .. }) = stopped else {
        panic!("{stopped:?}");
    };
    assert_eq!(reason.as_deref(), Some("enough"));
    bob.close(Duration::from_secs(5)).await;
    stack.stop().await;
}
