//! Continuity over real sockets: positions in pushes and acknowledgements, recovery, `history` and `sync`.

use herald_testkit::local_only;
use serde_json::{Value, json};

use crate::harness::{Client, TestStack};

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs a stack with parameters of its own"
)]
async fn subscriber_recovers_exactly_the_messages_since_its_position() {
    let stack = TestStack::start().await;
    let mut first = stack.client().await;
    let ack = first.ask(subscribe("order-1", json!({}))).await;
    let begin =
        json!({"type": "ack", "action": "subscribe", "entityId": "order-1", "offset": 0, "top": 0});
    assert_eq!(ack, begin);
    let pushes = updates(&stack, &mut first, "order-1", 1..=3).await;
    assert_eq!(offsets(&pushes), [1, 2, 3]);

    let mut second = stack.client().await;
    let position = position_of(&pushes[0]);
    let ack = second
        .ask(subscribe("order-1", json!({"recover": position})))
        .await;
    assert_eq!(
        (&ack["recovered"], &ack["messages"]),
        (&json!(true), &json!(pushes[1..]))
    );
    assert_eq!((&ack["offset"], &ack["top"]), (&json!(3), &json!(3)));
    // From before the first message on.
    let ack = second
        .ask(subscribe("order-1", json!({"recover": {"offset": 0}})))
        .await;
    assert_eq!(ack["messages"], json!(pushes));
    // It is live from there on.
    let next = updates(&stack, &mut second, "order-1", 4..=4).await;
    assert_eq!(offsets(&next), [4]);
    let current = second
        .ask(subscribe(
            "order-1",
            json!({"recover": position_of(&next[0])}),
        ))
        .await;
    assert_eq!(
        (&current["recovered"], current.get("messages")),
        (&json!(true), None)
    );
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs a stack with parameters of its own"
)]
async fn unknown_position_is_lost_without_messages() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    client.ask(subscribe("order-1", json!({}))).await;
    let pushes = updates(&stack, &mut client, "order-1", 1..=2).await;
    let epoch = pushes[0]["epoch"].clone();
    for position in [
        json!({"epoch": "Aaaaaaaa", "offset": 1}),
        json!({"epoch": epoch, "offset": 3}),
        json!({"offset": 1}),
    ] {
        let ack = client
            .ask(subscribe("order-1", json!({"recover": position})))
            .await;
        assert_eq!(
            ack,
            json!({
                "type": "ack", "action": "subscribe", "entityId": "order-1", "epoch": epoch,
                "offset": 2, "top": 2, "recovered": false,
            }),
            "{position}"
        );
    }
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs a stack with parameters of its own"
)]
async fn one_frame_recovers_rewinds_and_subscribes() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    client
        .subscribe_to_all(["order-1", "order-2"].map(str::to_owned).into_iter())
        .await;
    let first = updates(&stack, &mut client, "order-1", 1..=3).await;
    let second = updates(&stack, &mut client, "order-2", 1..=3).await;
    let entities = json!({
        "order-1": {"recover": position_of(&first[1])},
        "order-2": {"rewind": 2},
        "order-3": {},
        "order-4": {"rewind": 301},
    });
    let ack = client
        .ask(json!({"action": "subscribe", "entities": entities}))
        .await;
    let results = &ack["entities"];
    assert_eq!(results["order-1"]["messages"], json!(first[2..]));
    assert_eq!(results["order-2"]["messages"], json!(second[1..]));
    assert_eq!(results["order-3"], json!({"offset": 0, "top": 0}));
    assert_eq!(results["order-4"]["error"]["code"], "bad_request");
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs a stack with parameters of its own"
)]
async fn acknowledgement_of_a_message_has_the_position_that_others_see() {
    let stack = TestStack::start().await;
    let (mut sender, mut receiver) = (stack.client().await, stack.client().await);
    for client in [&mut sender, &mut receiver] {
        client.ask(subscribe("room-1", json!({}))).await;
    }
    let ack = sender
        .ask(json!({"action": "sendMessage", "entityId": "room-1", "message": 1}))
        .await;
    let push = receiver.frame().await;
    assert_eq!(position_of(&ack), position_of(&push));
    let ack = sender
        .ask(json!({"action": "sendMessage", "entityId": "room-1", "messages": [{"message": 2}, {"message": 3}]}))
        .await;
    let mut pushes = [receiver.frame().await, receiver.frame().await];
    pushes.sort_by_key(|push| push["offset"].as_u64());
    let positions: Vec<_> = pushes.iter().map(position_of).collect();
    assert_eq!(ack["positions"], json!(positions));
    assert_eq!(offsets(&pushes), [2, 3]);
    assert_eq!(
        ack["eventIds"],
        json!([pushes[0]["eventId"], pushes[1]["eventId"]])
    );
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs a stack with parameters of its own"
)]
async fn repeated_event_keeps_its_offset() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    client.ask(subscribe("order-1", json!({}))).await;
    let detail = json!({"entityId": "order-1", "message": 1, "idempotencyKey": "k-1"});
    for _ in 0..2 {
        stack.put_event("Entity Updated", detail.clone()).await;
        let push = client.frame().await;
        assert_eq!(
            (&push["offset"], &push["eventId"]),
            (&json!(1), &json!("k-1"))
        );
    }
    let next = updates(&stack, &mut client, "order-1", 2..=2).await;
    assert_eq!(offsets(&next), [2]);
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs a stack with parameters of its own"
)]
async fn history_reads_any_part_of_a_log() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    client.ask(subscribe("order-1", json!({}))).await;
    let pushes = updates(&stack, &mut client, "order-1", 1..=5).await;
    for (selection, messages, more) in [
        (json!({"last": 2}), &pushes[3..], false),
        (json!({"last": 0}), &pushes[5..], false),
        (json!({"before": 4, "limit": 2}), &pushes[1..3], false),
        (
            json!({"since": position_of(&pushes[1])}),
            &pushes[2..],
            false,
        ),
        (
            json!({"since": position_of(&pushes[1]), "limit": 2}),
            &pushes[2..4],
            true,
        ),
    ] {
        let mut request = selection.clone();
        request["action"] = json!("history");
        request["entityId"] = json!("order-1");
        let ack = client.ask(request).await;
        let received = ack.get("messages").cloned().unwrap_or_else(|| json!([]));
        assert_eq!(received, json!(messages), "{selection}: {ack}");
        assert_eq!(ack["more"] == true, more, "{selection}");
        assert_eq!(ack["top"], 5);
    }
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs a stack with parameters of its own"
)]
async fn sync_answers_only_for_logs_in_which_the_client_is_behind() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    client
        .subscribe_to_all(["order-1", "order-2"].map(str::to_owned).into_iter())
        .await;
    let first = updates(&stack, &mut client, "order-1", 1..=2).await;
    let second = updates(&stack, &mut client, "order-2", 1..=1).await;
    let current = json!({"order-1": position_of(&first[1]), "order-2": position_of(&second[0])});
    let ack = client
        .ask(json!({"action": "sync", "entities": current, "id": 1}))
        .await;
    assert_eq!(ack, json!({"type": "ack", "action": "sync", "id": 1}));
    let behind = json!({"order-1": position_of(&first[0]), "order-2": position_of(&second[0]), "order-3": {}});
    let ack = client
        .ask(json!({"action": "sync", "entities": behind, "everyone": {}}))
        .await;
    let expected = json!({
        "order-1": {
            "epoch": first[0]["epoch"], "offset": 2, "top": 2, "recovered": true, "messages": first[1..],
        },
        "order-3": {"offset": 0},
    });
    assert_eq!(ack["entities"], expected);
    assert_eq!(ack["everyone"], json!({"offset": 0}));
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs tokens, which the local stack signs"
)]
async fn logs_of_users_and_of_everyone_are_recovered_by_sync() {
    let stack = TestStack::start_with_users().await;
    let mut client = stack.client_of("alice").await;
    let ack = client
        .ask(json!({"action": "sync", "user": {}, "everyone": {}}))
        .await;
    let begin = json!({"offset": 0});
    assert_eq!((&ack["user"], &ack["everyone"]), (&begin, &begin));
    stack
        .put_event(
            "Send User Push Notification",
            json!({"userId": "alice", "message": 1}),
        )
        .await;
    let notification = client.frame().await;
    stack.put_event("Broadcast", json!({"message": 2})).await;
    let broadcast = client.frame().await;
    let ack = client
        .ask(json!({"action": "sync", "user": {"offset": 0}, "everyone": {"offset": 0}}))
        .await;
    assert_eq!(ack["user"]["messages"], json!([notification]));
    assert_eq!(ack["everyone"]["messages"], json!([broadcast]));
    let ack = client
        .ask(json!({"action": "history", "user": true, "last": 1}))
        .await;
    assert_eq!(ack["messages"], json!([notification]));
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs tokens, which the local stack signs"
)]
async fn history_needs_its_permission_and_recovery_does_not() {
    let stack = TestStack::start_with_users().await;
    let mut client = stack
        .client_with(&stack.token("alice", r#"{"order-*":["subscribe"]}"#))
        .await;
    client.ask(subscribe("order-1", json!({}))).await;
    let pushes = updates(&stack, &mut client, "order-1", 1..=2).await;
    let recovered = client
        .ask(subscribe(
            "order-1",
            json!({"recover": position_of(&pushes[0])}),
        ))
        .await;
    assert_eq!(recovered["messages"], json!(pushes[1..]));
    for request in [
        subscribe("order-1", json!({"rewind": 1})),
        json!({"action": "history", "entityId": "order-1", "last": 1}),
        json!({"action": "history", "everyone": true, "last": 1}),
        subscribe("room-1", json!({"recover": {"offset": 0}})),
    ] {
        let refused = client.ask(request.clone()).await;
        assert_eq!(refused["code"], "forbidden", "{request}");
    }
    let sync = json!({"action": "sync", "entities": {"room-1": {"offset": 0}}});
    let ack = client.ask(sync).await;
    assert_eq!(ack["entities"]["room-1"]["error"]["code"], "forbidden");
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs a stack with parameters of its own"
)]
async fn log_of_the_last_message_drops_older_versions() {
    let history = ("History", r#"{"price:*":{"last":true}}"#);
    let stack = TestStack::start_with_parameters(&[history]).await;
    let mut client = stack.client().await;
    client.ask(subscribe("price:1", json!({}))).await;
    for (version, message) in [(2, "new"), (1, "old"), (3, "newest")] {
        let detail = json!({"entityId": "price:1", "message": message, "version": version});
        stack.put_event("Entity Updated", detail).await;
        if message != "old" {
            assert_eq!(client.frame().await["message"], message);
        }
    }
    let ack = client
        .ask(subscribe("price:1", json!({"recover": {"offset": 0}})))
        .await;
    assert_eq!(ack["messages"][0]["message"], "newest");
    assert_eq!(ack["messages"].as_array().map(Vec::len), Some(1));
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs a stack with parameters of its own"
)]
async fn frame_too_large_for_a_log_is_refused_to_its_sender() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    let message = "x".repeat(128 * 1024 - 1_000);
    let request = json!({"action": "sendMessage", "entityId": "room-1", "message": message});
    client.send_in_frames(&request.to_string()).await;
    let refused = client.frame().await;
    assert_eq!(refused["code"], "too_large", "{refused}");
    stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn frames_of_a_stack_without_logs_have_no_positions() {
    let stack = TestStack::start_without_history().await;
    let (mut sender, mut reader) = (stack.client().await, stack.client().await);
    let ack = reader.ask(subscribe("room-1", json!({"id": "7"}))).await;
    assert_eq!(
        ack,
        json!({"type": "ack", "action": "subscribe", "entityId": "room-1", "id": "7"})
    );
    for audience in [json!({"entityId": "room-1"}), json!({"broadcast": true})] {
        let mut request = json!({"action": "sendMessage", "message": "Hi", "id": "8"});
        let fields = request.as_object_mut().unwrap();
        fields.extend(audience.as_object().unwrap().clone());
        let ack = sender.ask(request).await;
        let mut expected = json!({
            "type": "ack", "action": "sendMessage", "eventId": ack["eventId"], "id": "8",
        });
        let mut pushed = json!({"type": "message", "message": "Hi", "eventId": ack["eventId"]});
        if let Some(entity) = audience.get("entityId") {
            expected["entityId"] = entity.clone();
            pushed["entityId"] = entity.clone();
        }
        assert_eq!(ack, expected);
        assert_eq!(without_time(reader.frame().await), pushed);
    }
    let detail = json!({"entityId": "room-1", "message": 1, "idempotencyKey": "key-1"});
    stack.put_event("Entity Updated", detail).await;
    assert_eq!(
        without_time(reader.frame().await),
        json!({"type": "Entity Updated", "entityId": "room-1", "message": 1, "eventId": "key-1"})
    );
    stack.stop().await;
}

fn without_time(mut push: Value) -> Value {
    assert!(push.as_object_mut().unwrap().remove("time").is_some());
    push
}

fn subscribe(entity: &str, start: Value) -> Value {
    let mut request = start;
    request["action"] = json!("subscribe");
    request["entityId"] = json!(entity);
    request
}

fn position_of(frame: &Value) -> Value {
    json!({"epoch": frame["epoch"], "offset": frame["offset"]})
}

fn offsets(pushes: &[Value]) -> Vec<u64> {
    pushes
        .iter()
        .map(|push| push["offset"].as_u64().unwrap())
        .collect()
}

/// Puts an event for each number, the next one once the client has the push of the last one. Returns the pushes.
async fn updates(
    stack: &TestStack,
    client: &mut Client,
    entity: &str,
    numbers: std::ops::RangeInclusive<u64>,
) -> Vec<Value> {
    let mut pushes = Vec::new();
    for number in numbers {
        let detail = json!({"entityId": entity, "message": number});
        stack.put_event("Entity Updated", detail).await;
        pushes.push(client.frame().await);
    }
    pushes
}
