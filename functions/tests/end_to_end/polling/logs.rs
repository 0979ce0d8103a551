//! Reading and sending by clients that poll.

use herald_testkit::{local_only, until_async};
use serde_json::{Value, json};

use super::harness::Polling;

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn poll_returns_what_came_since_its_positions() {
    let polling = Polling::start().await;
    let stack = &polling.stack;
    let mut socket = stack.client_of("ann").await;
    let subscribe = json!({"action": "subscribe", "entityId": "logged:1"});
    assert_eq!(socket.ask(subscribe).await["offset"], 0);
    let ann = polling.poller("ann");

    let begin = json!({"entities": {"logged:1": {}}, "user": {}, "everyone": {}});
    let first = ann.poll(begin).await;
    let start = json!({"offset": 0});
    assert_eq!(
        first,
        json!({
            "type": "ack", "action": "sync", "pollAfter": 2000,
            "entities": {"logged:1": start}, "user": start, "everyone": start,
        })
    );
    let current = json!({"entities": {"logged:1": start}, "user": start, "pollAfter": 2000});
    let nothing = json!({"type": "ack", "action": "sync", "pollAfter": 4000});
    assert_eq!(ann.poll(current.clone()).await, nothing);

    let detail = json!({"entityId": "logged:1", "message": "of an event"});
    stack.put_event("Entity Updated", detail).await;
    let user = json!({"userId": "ann", "message": "for ann"});
    stack.put_event("Send User Push Notification", user).await;
    let mut pushed = [socket.frame().await, socket.frame().await];
    pushed.sort_by_key(|frame| frame["type"].to_string());

    let polled = ann.poll(current).await;
    let (entity, user) = (&polled["entities"]["logged:1"], &polled["user"]);
    // The frames are those of the socket.
    assert_eq!(
        (&entity["messages"], &user["messages"]),
        (&json!([pushed[0]]), &json!([pushed[1]])),
        "{polled}"
    );
    assert_eq!(
        (&entity["offset"], &entity["recovered"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(polled["pollAfter"], 2000);
    polling.stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn sent_message_reaches_sockets_and_has_its_position() {
    let polling = Polling::start().await;
    let mut socket = polling.stack.client_of("ann").await;
    for entity in ["logged:1", "other"] {
        socket
            .ask(json!({"action": "subscribe", "entityId": entity}))
            .await;
    }
    let ann = polling.poller("ann");
    let sent = ann
        .message(json!({"entityId": "logged:1", "message": "hello", "name": "Ann", "id": 7}))
        .await;
    assert_eq!(
        (&sent["action"], &sent["offset"], &sent["id"]),
        (&json!("sendMessage"), &json!(1), &json!(7)),
        "{sent}"
    );
    // A user's own sockets get it: they are other clients.
    let frame = socket.frame().await;
    assert_eq!(
        (&frame["message"], &frame["name"]),
        (&json!("hello"), &json!("Ann"))
    );
    assert_eq!(frame["eventId"], sent["eventId"]);
    let several = json!({"entityId": "other", "messages": [{"message": 1}, {"message": 2}]});
    let sent = ann.message(several).await;
    assert_eq!(sent["eventIds"].as_array().unwrap().len(), 2);
    for _ in 0..2 {
        assert_eq!(socket.frame().await["entityId"], "other");
    }
    assert_eq!(
        ann.message(json!({"message": "echo"})).await,
        json!({"type": "message", "message": "echo"})
    );
    polling.stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn position_is_that_of_the_log() {
    let polling = Polling::start().await;
    let ann = polling.poller("ann");
    let position = async || {
        ann.send("GET", "/position?entityId=logged%3A1", "")
            .await
            .json()
    };
    let start = json!({"type": "ack", "action": "position", "entityId": "logged:1", "offset": 0});
    assert_eq!(position().await, start);
    let sent = ann
        .message(json!({"entityId": "logged:1", "message": 1}))
        .await;
    until_async("the position is the message's", async || {
        position().await["offset"] == 1
    })
    .await;
    assert_eq!(position().await["epoch"], sent["epoch"]);
    polling.stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn user_over_the_rate_is_throttled_and_others_are_not() {
    let parameters = [("MessagesPerSecond", "1")];
    let polling = Polling::start_with(&parameters).await;
    let ann = polling.poller("ann");
    let message = json!({"message": "an echo"});
    let mut answers = Vec::new();
    // More than the burst of five, and faster than one a second.
    while answers.len() < 20 && answers.last() != Some(&429) {
        answers.push(ann.post("/messages", &message).await.status);
    }
    let refused = ann.post("/messages", &message).await;
    assert_eq!(
        (answers.last(), refused.status),
        (Some(&429), 429),
        "{answers:?}"
    );
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(
        (&refused.json()["code"], &refused.json()["retryable"]),
        (&json!("throttled"), &json!(true))
    );
    assert_eq!(
        polling
            .poller("eve")
            .post("/messages", &message)
            .await
            .status,
        200
    );
    polling.stack.stop().await;
}

/// A client that polls gets each message once and in order, beside one with a socket.
#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn poller_and_socket_see_the_same_messages() {
    let polling = Polling::start().await;
    let mut socket = polling.stack.client_of("ann").await;
    socket
        .ask(json!({"action": "subscribe", "entityId": "logged:1"}))
        .await;
    let eve = polling.poller("eve");
    let messages = (0..20)
        .map(|number| json!({"message": number}))
        .collect::<Vec<Value>>();
    eve.message(json!({"entityId": "logged:1", "messages": messages}))
        .await;
    let mut pushed = Vec::new();
    for _ in 0..20 {
        pushed.push(socket.frame().await);
    }
    pushed.sort_by_key(|frame| frame["offset"].as_u64());
    let (mut position, mut polled) = (json!({"offset": 0}), Vec::new());
    while polled.len() < 20 {
        let reply = eve.poll(json!({"entities": {"logged:1": position}})).await;
        let log = &reply["entities"]["logged:1"];
        polled.extend(log["messages"].as_array().unwrap().clone());
        position = json!({"epoch": log["epoch"], "offset": log["offset"]});
    }
    assert_eq!(polled, pushed);
    polling.stack.stop().await;
}
