//! A client with a token, against the real authorizer.

use std::time::Duration;

use herald_client::{
    AttemptError, Client, ConnectError, ConnectionState, ErrorCode, Message, Options, RequestError,
    StopReason,
};
use herald_local::{Authentication, gateway::Limits};
use serde_json::json;
use tokio::{net::TcpListener, time::sleep};

use crate::harness::{TestStack, connect, entity, in_time, stopped};

#[tokio::test]
async fn a_user_gets_what_is_theirs_and_no_more() {
    let stack = TestStack::start_with(Authentication::Secret, Limits::default()).await;
    let options = stack.tokens("alice", json!({"order:*": ["subscribe"]}), 3600);
    let client = connect(stack.web_socket(), options).await;
    let mut notifications = client.notifications();
    assert!(client.subscribe(entity("order:1")).await.is_ok());
    let forbidden = [
        client.subscribe(entity("secret")).await.err(),
        client.send(Message::to_everyone("hello")).await.err(),
    ];
    for error in forbidden {
        let Some(RequestError::Server(error)) = error else {
            panic!("not the server's: {error:?}");
        };
        assert_eq!(error.code(), Some(ErrorCode::Forbidden));
    }
    let detail =
        json!({"userId": "alice", "message": "for you", "callback": {"open": "/orders/1"}});
    stack.put_event("Send User Push Notification", detail).await;
    let push = in_time("a push came", notifications.recv())
        .await
        .expect("a push");
    assert_eq!(push.message::<String>().expect("a text"), "for you");
    assert_eq!(
        push.callback::<serde_json::Value>().expect("a callback"),
        json!({"open": "/orders/1"})
    );

    let goodbye = json!({"userId": "alice", "reason": "signed out", "reconnect": false});
    stack.put_event("Disconnect User", goodbye).await;
    let reason = StopReason::Disconnected {
        code: Some("user_disconnected".to_owned()),
        reason: Some("signed out".to_owned()),
    };
    assert_eq!(stopped(&client).await, ConnectionState::Stopped(reason));
    stack.stop().await;
}

#[tokio::test]
async fn a_token_that_the_server_refuses_stops_the_client() {
    let stack = TestStack::start_with(Authentication::Secret, Limits::default()).await;
    let expired = stack
        .tokens("alice", json!({}), -3600)
        .back_off(Duration::from_millis(1), Duration::from_millis(1));
    let refused = in_time(
        "the client stopped",
        Client::connect(stack.web_socket(), expired),
    )
    .await;
    let reason = StopReason::Refused { status: Some(401) };
    assert_eq!(refused.err(), Some(ConnectError::Stopped(reason)));
    stack.stop().await;
}

/// Whether the server takes `authenticate` or wants a new connection, the application sees neither.
#[tokio::test]
async fn a_client_outlives_its_tokens() {
    let stack = TestStack::start_with(Authentication::Secret, Limits::default()).await;
    let lifetime = 6;
    let options = stack.tokens("alice", json!({"order:*": ["subscribe"]}), lifetime);
    let client = connect(stack.web_socket(), options).await;
    let states = client.states();
    let mut order = client
        .subscribe(entity("order:1"))
        .await
        .expect("a subscription");
    for round in 0..3 {
        sleep(Duration::from_secs(lifetime as u64)).await;
        stack.update("order:1", round).await;
        let push = in_time("a push came", order.recv()).await.expect("a push");
        assert_eq!(push.message::<usize>().expect("a number"), round);
        assert!(client.subscribe(entity("order:2")).await.is_ok());
    }
    assert!(
        !states.has_changed().expect("not stopped"),
        "{:?}",
        client.state()
    );
    stack.stop().await;
}

#[tokio::test]
async fn a_client_says_why_it_is_not_connected() {
    let stack = TestStack::start_with(Authentication::Secret, Limits::default()).await;
    let no_token = || Options::new().token(async || Err::<String, _>("nobody is signed in"));
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nobody_listens = format!("ws://{}/dev", nobody.local_addr().expect("an address"));
    drop(nobody);
    for (address, options, expected) in [
        (
            stack.web_socket(),
            stack.tokens("alice", json!({}), -3600),
            "the server refused the handshake with 401",
        ),
        (
            stack.web_socket(),
            no_token(),
            "there is no token: nobody is signed in",
        ),
        (
            &nobody_listens,
            Options::new(),
            "the server could not be reached: IO error: Connection refused",
        ),
    ] {
        let client = Client::start(address, options).expect("an address");
        let mut states = client.states();
        let reconnecting =
            states.wait_for(|state| matches!(state, ConnectionState::Reconnecting { .. }));
        in_time("an attempt failed", reconnecting)
            .await
            .expect("not stopped");
        let why = client.last_failure().as_ref().map(AttemptError::to_string);
        let why = why.expect("a reason");
        assert!(why.starts_with(expected), "{why}");
    }
    stack.stop().await;
}

#[tokio::test]
async fn subscribers_that_come_together_have_results_of_their_own() {
    let stack = TestStack::start_with(Authentication::Secret, Limits::default()).await;
    let options = stack.tokens("alice", json!({"order:*": ["subscribe"]}), 3600);
    let client = connect(stack.web_socket(), options).await;
    let (order, room, other) = tokio::join!(
        client.subscribe(entity("order:1")),
        client.subscribe(entity("room:1")),
        client.subscribe(entity("order:2")),
    );
    let Err(RequestError::Server(error)) = room else {
        panic!("not refused");
    };
    assert_eq!(error.code(), Some(ErrorCode::Forbidden));
    let mut order = order.expect("a subscription");
    assert!(other.is_ok());
    stack.update("order:1", 1).await;
    assert!(in_time("a push came", order.recv()).await.is_ok());
    stack.stop().await;
}
