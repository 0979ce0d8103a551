//! Clients with tokens, against the real authorizer.

use std::time::Duration;

use herald_client::{
    Client, ConnectionState, ErrorCode, InvalidId, Message, Next, Options, RequestError,
    StopReason, SubscriptionError,
};
use herald_local::{Authentication, gateway::Limits};
use herald_shared::error_chain::error_chain;
use serde_json::json;
use tokio::{net::TcpListener, time::sleep};

use crate::harness::{TestStack, connect, entity, in_time, stopped};

#[tokio::test]
async fn refused_entity_among_several_ends_with_the_refusal_and_the_others_go_on() {
    let stack = TestStack::start_with(Authentication::Secret, Limits::default()).await;
    let options = stack.tokens("alice", json!({"order:*": ["subscribe"]}), 3600);
    let client = connect(stack.web_socket(), options).await;
    let invalid = client.subscribe_many(["order:1", ""]).await.err();
    let expected = RequestError::InvalidEntity(InvalidId::Empty);
    assert_eq!(invalid, Some(expected), "it subscribes to none");
    let mut many = client
        .subscribe_many(["order:1", "secret", "order:2"])
        .await
        .expect("ids");
    let (entity, event) = in_time("a refusal", many.next_event()).await.expect("open");
    assert_eq!(entity.as_str(), "secret");
    let Err(SubscriptionError::Ended(RequestError::Server(error))) = event else {
        panic!("not a refusal: {event:?}");
    };
    assert_eq!(error.code(), Some(ErrorCode::Forbidden));
    for order in ["order:1", "order:2"] {
        stack.update(order, order).await;
        let (entity, event) = in_time("a push", many.next_event()).await.expect("open");
        assert_eq!(entity.as_str(), order);
        let Ok(Next::Message(push)) = event else {
            panic!("not a push: {event:?}");
        };
        assert_eq!(push.message::<String>().expect("a text"), order);
    }
    client.close(Duration::ZERO).await;
    for _ in 0..2 {
        let (_, event) = many.next_event().await.expect("the end of an entity");
        let ended = Err(SubscriptionError::Ended(RequestError::Stopped));
        assert_eq!(event, ended);
    }
    assert!(many.next_event().await.is_none());
    stack.stop().await;
}

#[tokio::test]
async fn permissions_and_notifications_are_those_of_the_tokens_user() {
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
            panic!("not an error of the server: {error:?}");
        };
        assert_eq!(error.code(), Some(ErrorCode::Forbidden));
    }
    let detail =
        json!({"userId": "alice", "message": "for you", "callback": {"open": "/orders/1"}});
    stack.put_event("Send User Push Notification", detail).await;
    let push = in_time("a push arrived", notifications.recv())
        .await
        .expect("a push");
    assert_eq!(push.message::<String>().expect("a text"), "for you");
    assert_eq!(
        push.callback::<serde_json::Value>().expect("a callback"),
        json!({"open": "/orders/1"})
    );

    let disconnect = json!({"userId": "alice", "reason": "signed out", "reconnect": false});
    stack.put_event("Disconnect User", disconnect).await;
    let reason = StopReason::Disconnected {
        code: Some("user_disconnected".to_owned()),
        reason: Some("signed out".to_owned()),
    };
    assert_eq!(stopped(&client).await, ConnectionState::Stopped(reason));
    stack.stop().await;
}

#[tokio::test]
async fn client_stops_after_three_refusals_of_its_token() {
    let stack = TestStack::start_with(Authentication::Secret, Limits::default()).await;
    let expired = stack
        .tokens("alice", json!({}), -3600)
        .back_off(Duration::from_millis(1), Duration::from_millis(1));
    let client = Client::start(stack.web_socket(), expired).expect("an address");
    let reason = StopReason::Refused { status: Some(401) };
    assert_eq!(stopped(&client).await, ConnectionState::Stopped(reason));
    stack.stop().await;
}

/// The application notices neither an accepted `authenticate` nor a new connection.
#[tokio::test]
async fn client_stays_open_beyond_the_life_of_its_tokens() {
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
        let push = in_time("a push arrived", order.recv())
            .await
            .expect("a push");
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
async fn connect_fails_with_the_error_of_the_first_attempt() {
    let stack = TestStack::start_with(Authentication::Secret, Limits::default()).await;
    let no_token = || Options::new().token(async || Err::<String, _>("no user is signed in"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed_port = format!("ws://{}/dev", listener.local_addr().expect("an address"));
    drop(listener);
    for (address, options, expected) in [
        (
            stack.web_socket(),
            stack.tokens("alice", json!({}), -3600),
            "the server refused the handshake with status 401",
        ),
        (
            stack.web_socket(),
            no_token(),
            "the token callback failed: no user is signed in",
        ),
        (
            &closed_port,
            Options::new(),
            "the server could not be reached: Connection refused",
        ),
    ] {
        let connected = in_time("the attempt failed", Client::connect(address, options)).await;
        let error = error_chain(&connected.expect_err("no connection"));
        let expected = format!("the first attempt to connect failed: {expected}");
        assert!(error.starts_with(&expected), "{error}");
    }
    stack.stop().await;
}

#[tokio::test]
async fn subscribers_in_one_frame_have_results_of_their_own() {
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
    assert!(in_time("a push arrived", order.recv()).await.is_ok());
    stack.stop().await;
}
