//! A subscription with the state of its entity, against a scripted server.

use std::{io, sync::Arc, time::Duration};

use herald_client::{
    Client, Epoch, Options, Position, RequestError, Snapshot, StateError, StateSubscription,
    SubscriptionError, Update,
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};

use crate::{
    harness::{entity, in_time},
    scripted_server::{ScriptedServer, ServerConnection},
};

type Answer = Result<Snapshot<u32>, io::Error>;

/// Returns a client, its connection, and a sender of the state callback's answers.
async fn start(server: &ScriptedServer, buffer: usize) -> (Client, ServerConnection) {
    let options = Options::new()
        .back_off(Duration::from_millis(1), Duration::from_millis(10))
        .buffer(buffer);
    let client = Client::start(&server.web_socket(), options).expect("an address");
    let served = server.accept().await;
    (client, served)
}

/// Returns a state callback whose answers the test sends, each once.
fn answers() -> (
    mpsc::UnboundedSender<Answer>,
    impl Fn() -> Loading + Send + Sync,
) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let receiver = Arc::new(Mutex::new(receiver));
    let callback = move || {
        let receiver = receiver.clone();
        Box::pin(async move { receiver.lock().await.recv().await.expect("an answer") }) as Loading
    };
    (sender, callback)
}

type Loading = std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>;

fn at(offset: u64) -> Position {
    Position::after(Epoch::new("k3J9x2Qa").expect("an epoch"), offset)
}

fn push(offset: u64) -> Value {
    json!({
        "type": "Entity Updated", "entityId": "order-1", "message": offset, "eventId": format!("e{offset}"),
        "epoch": "k3J9x2Qa", "offset": offset,
    })
}

fn plain(number: u64) -> Value {
    json!({"type": "Entity Updated", "entityId": "order-1", "message": number, "eventId": format!("p{number}")})
}

/// Answers the next request, a `subscribe`, with further fields. Returns the request.
async fn acknowledge(served: &mut ServerConnection, fields: Value) -> Value {
    let request = served.frame().await.expect("a request");
    assert_eq!(request["action"], "subscribe");
    let mut reply =
        json!({"type": "ack", "action": "subscribe", "entityId": "order-1", "id": request["id"]});
    for (name, value) in fields.as_object().expect("fields") {
        reply[name] = value.clone();
    }
    served.send(reply).await;
    request
}

/// Subscribes with a state, and acknowledges with further fields. Returns the subscription and the request.
async fn subscribe(
    client: &Client,
    served: &mut ServerConnection,
    acknowledged: Value,
    state: impl Fn() -> Loading + Send + Sync + 'static,
) -> (StateSubscription<u32>, Value) {
    let (order, request) = tokio::join!(
        client.subscribe_with_state(entity("order-1"), state),
        acknowledge(served, acknowledged)
    );
    (order.expect("a subscription"), request)
}

/// Returns the next update: the state, or the number of a message as its negative.
async fn next(order: &mut StateSubscription<u32>) -> Result<i64, SubscriptionError> {
    Ok(match in_time("an update arrived", order.next()).await? {
        Update::State(state) => i64::from(state),
        Update::Message(push) => -push.message::<i64>().expect("a number"),
        other => panic!("unknown update: {other:?}"),
    })
}

#[tokio::test]
async fn subscription_starts_at_the_position_of_its_state() {
    let server = ScriptedServer::start().await;
    let (client, mut served) = start(&server, 100).await;
    let (answer, state) = answers();
    answer.send(Ok(Snapshot::new(at(3), 30))).expect("a loader");
    let acknowledged = json!({"epoch": "k3J9x2Qa", "offset": 5, "top": 5, "recovered": true, "messages": [push(4), push(5)]});
    let (mut order, request) = subscribe(&client, &mut served, acknowledged, state).await;
    assert_eq!(request["recover"], json!(at(3)));
    for expected in [30, -4, -5] {
        assert_eq!(next(&mut order).await, Ok(expected));
    }
    assert_eq!(order.position(), Some(&at(5)));
}

#[tokio::test]
async fn state_is_loaded_again_after_a_loss_until_it_has_what_was_lost() {
    let server = ScriptedServer::start().await;
    let (client, mut served) = start(&server, 100).await;
    let (answer, state) = answers();
    answer.send(Ok(Snapshot::new(at(3), 30))).expect("a loader");
    let acknowledged = json!({"epoch": "k3J9x2Qa", "offset": 9, "top": 9, "recovered": false});
    let (mut order, _) = subscribe(&client, &mut served, acknowledged, state).await;
    for offset in 10..=12 {
        served.send(push(offset)).await;
    }
    assert_eq!(next(&mut order).await, Ok(30));
    for stale in [
        Err(io::Error::other("no network")),
        Ok(Snapshot::new(at(8), 80)),
        Ok(Snapshot::new(at(11), 110)),
    ] {
        answer.send(stale).expect("a loader");
    }
    for expected in [110, -12] {
        assert_eq!(next(&mut order).await, Ok(expected));
    }
}

#[tokio::test]
async fn dropped_wait_for_a_state_loses_nothing() {
    let server = ScriptedServer::start().await;
    let (client, mut served) = start(&server, 100).await;
    let (answer, state) = answers();
    answer.send(Ok(Snapshot::new(at(3), 30))).expect("a loader");
    let acknowledged = json!({"epoch": "k3J9x2Qa", "offset": 9, "top": 9, "recovered": false});
    let (mut order, _) = subscribe(&client, &mut served, acknowledged, state).await;
    assert_eq!(next(&mut order).await, Ok(30));
    {
        let mut impatient = Box::pin(order.next());
        assert!(futures_util::poll!(&mut impatient).is_pending());
    }
    served.send(push(10)).await;
    answer.send(Ok(Snapshot::new(at(9), 90))).expect("a loader");
    for expected in [90, -10] {
        assert_eq!(next(&mut order).await, Ok(expected));
    }
}

#[tokio::test]
async fn reader_that_lags_loads_the_state_again() {
    let server = ScriptedServer::start().await;
    let (client, mut served) = start(&server, 2).await;
    let (answer, state) = answers();
    answer.send(Ok(Snapshot::new(at(0), 1))).expect("a loader");
    let messages: Vec<_> = (1..=5).map(push).collect();
    let acknowledged = json!({"epoch": "k3J9x2Qa", "offset": 5, "top": 5, "recovered": true, "messages": messages});
    let (mut order, _) = subscribe(&client, &mut served, acknowledged, state).await;
    // The reply is handled as a whole before the next one.
    let echo = client.send(herald_client::Message::echo(1));
    let (echo, _) = tokio::join!(echo, served.acknowledge());
    echo.expect("a reply");
    assert_eq!(next(&mut order).await, Ok(1));
    for (offset, state) in [(2, 20), (4, 40)] {
        answer
            .send(Ok(Snapshot::new(at(offset), state)))
            .expect("a loader");
    }
    for expected in [40, -5] {
        assert_eq!(next(&mut order).await, Ok(expected));
    }
}

#[tokio::test]
async fn later_subscriber_loads_until_its_state_is_not_before_the_position_it_joins_at() {
    let server = ScriptedServer::start().await;
    let (client, mut served) = start(&server, 100).await;
    let acknowledge = acknowledge(
        &mut served,
        json!({"epoch": "k3J9x2Qa", "offset": 7, "top": 7}),
    );
    let (first, _) = tokio::join!(client.subscribe(entity("order-1")), acknowledge);
    let _first = first.expect("a subscription");
    let (answer, state) = answers();
    for (offset, state) in [(6, 60), (7, 70)] {
        answer
            .send(Ok(Snapshot::new(at(offset), state)))
            .expect("a loader");
    }
    let order = client.subscribe_with_state(entity("order-1"), state);
    let mut order = in_time("joined", order).await.expect("a subscription");
    served.send(push(8)).await;
    for expected in [70, -8] {
        assert_eq!(next(&mut order).await, Ok(expected));
    }
}

#[tokio::test]
async fn state_without_a_position_is_loaded_after_the_acknowledgement_and_after_every_reconnect() {
    let server = ScriptedServer::start().await;
    let (client, mut served) = start(&server, 100).await;
    let (answer, state) = answers();
    for state in [1, 2] {
        answer
            .send(Ok(Snapshot::new(None, state)))
            .expect("a loader");
    }
    let (mut order, request) = subscribe(&client, &mut served, json!({}), state).await;
    assert_eq!(
        request,
        json!({"action": "subscribe", "entityId": "order-1", "id": "1"})
    );
    assert_eq!(next(&mut order).await, Ok(2));
    served.send(plain(3)).await;
    assert_eq!(next(&mut order).await, Ok(-3));

    drop(served);
    let mut served = server.accept().await;
    acknowledge(&mut served, json!({})).await;
    answer.send(Ok(Snapshot::new(None, 4))).expect("a loader");
    assert_eq!(next(&mut order).await, Ok(4));
    served.send(plain(5)).await;
    assert_eq!(next(&mut order).await, Ok(-5));
    assert_eq!(order.position(), None);
}

#[tokio::test]
async fn callback_that_fails_first_fails_the_subscription() {
    let server = ScriptedServer::start().await;
    let (client, mut served) = start(&server, 100).await;
    let state = || async { Err::<Snapshot<u32>, _>(io::Error::other("no network")) };
    let failed = client.subscribe_with_state(entity("order-1"), state).await;
    let Err(StateError::Callback(cause)) = failed else {
        panic!("subscribed: {failed:?}");
    };
    assert_eq!(cause.to_string(), "no network");
    // The next request is the first.
    let echo = client.send(herald_client::Message::echo(1));
    assert_eq!(served.acknowledge().await["action"], "sendMessage");
    in_time("the reply arrived", echo).await.expect("a reply");
}

#[tokio::test]
async fn subscription_ends_while_its_state_cannot_be_loaded() {
    let server = ScriptedServer::start().await;
    let (client, mut served) = start(&server, 100).await;
    let (answer, state) = answers();
    answer.send(Ok(Snapshot::new(at(3), 30))).expect("a loader");
    let acknowledged = json!({"epoch": "k3J9x2Qa", "offset": 9, "top": 9, "recovered": false});
    let (mut order, _) = subscribe(&client, &mut served, acknowledged, state).await;
    assert_eq!(next(&mut order).await, Ok(30));
    client.close(Duration::ZERO).await;
    answer
        .send(Err(io::Error::other("no network")))
        .expect("a loader");
    let ended = Err(SubscriptionError::Ended(RequestError::Stopped));
    assert_eq!(next(&mut order).await, ended);
    assert_eq!(next(&mut order).await, ended);
}
