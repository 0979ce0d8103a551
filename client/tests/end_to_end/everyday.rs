//! The everyday use of a client, and a restart of the whole stack.

use std::time::Duration;

use futures_util::StreamExt;
use herald_client::{
    Batch, Client, ConnectionState, ErrorCode, Message, Options, RequestError, StopReason,
    SubscriptionError,
};
use serde_json::{Value, json};

use crate::harness::{TestStack, connect, entity, in_time, until};

#[tokio::test]
async fn event_reaches_every_subscriber_over_one_connection() {
    let stack = TestStack::start().await;
    let client = stack.client().await;
    let handle = client.clone();
    let mut one = client
        .subscribe(entity("order-1"))
        .await
        .expect("a subscription");
    let mut another = handle
        .subscribe(entity("order-1"))
        .await
        .expect("a subscription");
    let mut by_type = client.pushes_of_type("Entity Updated");
    stack.update("order-1", json!({"state": "shipped"})).await;
    for push in [
        in_time("a push arrived", one.recv()).await,
        in_time("a push arrived", another.recv()).await,
        in_time("a push arrived", by_type.recv()).await,
    ] {
        let push = push.expect("a push");
        assert_eq!(push.kind(), "Entity Updated");
        assert_eq!(push.entity_id(), Some(&entity("order-1")));
        assert_eq!(
            push.message::<Value>().expect("a message"),
            json!({"state": "shipped"})
        );
        assert!(push.event_id().is_some() && push.time().is_some());
    }
    assert_eq!(stack.open_connections(), 1);

    drop(one);
    stack.update("order-1", "for the other").await;
    let push = in_time("a push arrived", another.next())
        .await
        .expect("not the end");
    assert_eq!(
        push.expect("a push").message::<String>().expect("a text"),
        "for the other"
    );
    stack.stop().await;
}

#[tokio::test]
async fn messages_reach_the_other_clients_and_are_acknowledged() {
    let stack = TestStack::start().await;
    let (alice, bob) = (stack.client().await, stack.client().await);
    let mut room = bob
        .subscribe(entity("room-1"))
        .await
        .expect("a subscription");
    let mut own_room = alice
        .subscribe(entity("room-1"))
        .await
        .expect("a subscription");
    let mut broadcasts = bob.broadcasts();

    let echo = in_time("the echo arrived", alice.send(Message::echo("Hello")))
        .await
        .expect("a reply");
    assert_eq!(echo.echo::<String>().expect("a text"), "Hello");
    assert!(echo.event_ids().is_empty());

    let sent = alice.send(Message::to_entity(entity("room-1"), "Hello").from_name("Alice"));
    let reply = in_time("the acknowledgement arrived", sent)
        .await
        .expect("a reply");
    let push = in_time("a push arrived", room.recv())
        .await
        .expect("a push");
    assert_eq!(reply.event_ids(), [push.event_id().expect("an id")]);
    assert_eq!(
        (push.kind(), push.name().as_deref()),
        ("message", Some("Alice"))
    );

    let batch = Batch::to_everyone("one").and("two").expect("space");
    let reply = in_time("the acknowledgement arrived", alice.send(batch))
        .await
        .expect("a reply");
    assert_eq!(reply.event_ids().len(), 2);
    let mut texts = [
        in_time("a push arrived", broadcasts.recv())
            .await
            .expect("a push")
            .message::<String>()
            .expect("a text"),
        in_time("a push arrived", broadcasts.recv())
            .await
            .expect("a push")
            .message::<String>()
            .expect("a text"),
    ];
    texts.sort();
    assert_eq!(texts, ["one", "two"]);

    let long = "x".repeat(100 * 1024);
    let echo = in_time("the echo arrived", alice.send(Message::echo(long.as_str())))
        .await
        .expect("a reply");
    assert_eq!(echo.echo::<String>().expect("a text"), long);
    let too_long = "x".repeat(128 * 1024);
    assert_eq!(
        alice.send(Message::echo(too_long)).await,
        Err(RequestError::TooLarge)
    );

    stack.update("room-1", "the end").await;
    let first_of_all = in_time("a push arrived", own_room.recv())
        .await
        .expect("a push");
    assert_eq!(first_of_all.message::<String>().expect("a text"), "the end");
    stack.stop().await;
}

#[tokio::test]
async fn subscription_that_the_server_refuses_fails() {
    let stack = TestStack::start().await;
    let client = stack.client().await;
    let mut subscriptions = Vec::new();
    let refused = loop {
        match client
            .subscribe(entity(format!("order-{}", subscriptions.len())))
            .await
        {
            Ok(subscription) => subscriptions.push(subscription),
            Err(error) => break error,
        }
    };
    let RequestError::Server(error) = refused else {
        panic!("not an error of the server: {refused:?}");
    };
    assert_eq!(error.code(), Some(ErrorCode::TooMany));
    drop(subscriptions.pop());
    // The client unsubscribes from the dropped one before it subscribes to another.
    in_time("another subscription was accepted", async {
        while client.subscribe(entity("another")).await.is_err() {}
    })
    .await;
    stack.stop().await;
}

#[tokio::test]
async fn close_sends_the_outbox_and_ends_every_handle() {
    let stack = TestStack::start().await;
    let client = stack.client().await;
    let handle = client.clone();
    let mut order = client
        .subscribe(entity("order-1"))
        .await
        .expect("a subscription");
    let sent: Vec<_> = (0..100)
        .map(|number| client.send(Message::echo(number)))
        .collect();
    in_time(
        "the client was closed",
        client.close(Duration::from_secs(60)),
    )
    .await;
    for (number, reply) in sent.into_iter().enumerate() {
        let reply = reply.await.expect("a reply");
        assert_eq!(reply.echo::<usize>().expect("a number"), number);
    }
    assert_eq!(handle.state(), ConnectionState::Stopped(StopReason::Closed));
    assert_eq!(
        handle.send(Message::echo(1)).await,
        Err(RequestError::Stopped)
    );
    let refused = handle.subscribe(entity("order-2")).await;
    assert_eq!(refused.err(), Some(RequestError::Stopped));
    let ended = Err(SubscriptionError::Ended(RequestError::Stopped));
    assert_eq!(order.recv().await, ended);
    until("the gateway closed its side", || {
        stack.open_connections() == 0
    })
    .await;
    stack.stop().await;
}

#[tokio::test]
async fn client_without_handles_closes_its_connection() {
    let stack = TestStack::start().await;
    let client = stack.client().await;
    let order = client
        .subscribe(entity("order-1"))
        .await
        .expect("a subscription");
    drop(client);
    assert_eq!(stack.open_connections(), 1);
    drop(order);
    until("the gateway closed its side", || {
        stack.open_connections() == 0
    })
    .await;
    stack.stop().await;
}

#[tokio::test]
async fn client_reconnects_to_a_restarted_stack() {
    let stack = TestStack::start().await;
    let options = Options::new().back_off(Duration::from_millis(100), Duration::from_millis(500));
    let client = connect(stack.web_socket(), options).await;
    let mut order = client
        .subscribe(entity("order-1"))
        .await
        .expect("a subscription");
    let mut states = client.states();
    let stack = stack.restart().await;
    // The client may not have noticed yet that its connection broke.
    let waited = client.send(Message::echo("still here").safe_to_repeat());
    assert!(in_time("the echo arrived", waited).await.is_ok());
    let open = states.wait_for(|state| *state == ConnectionState::Open);
    in_time("the client reconnected", open)
        .await
        .expect("not stopped");
    stack.update("order-1", "again").await;
    let push = in_time("a push arrived", order.recv())
        .await
        .expect("a push");
    assert_eq!(push.message::<String>().expect("a text"), "again");
    stack.stop().await;
}

#[tokio::test]
async fn requests_made_before_the_connection_wait_for_it() {
    let stack = TestStack::start().await;
    let client = Client::start(stack.web_socket(), Options::new()).expect("an address");
    let order = client.subscribe(entity("order-1"));
    let (echo, order) = tokio::join!(client.send(Message::echo("early")), order);
    assert!(echo.is_ok() && order.is_ok());
    stack.stop().await;
}
