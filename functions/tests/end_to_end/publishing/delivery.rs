//! The delivery of published messages.

use herald_testkit::local_only;
use serde_json::{Value, json};

use super::harness::Publishing;

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn message_is_pushed_as_its_event_would_be() {
    let publishing = Publishing::start().await;
    let stack = &publishing.stack;
    let mut client = stack.client_of("ann").await;
    client.subscribe("order-1").await;
    for (message, push) in [
        (
            json!({"entityId": "order-1", "message": {"state": "shipped"}}),
            json!({"type": "Entity Updated", "entityId": "order-1", "message": {"state": "shipped"}}),
        ),
        (
            json!({"userId": "ann", "message": null, "callback": "refresh"}),
            json!({"type": "User Push Notification", "message": null, "callback": "refresh"}),
        ),
        (
            json!({"broadcast": true, "message": "hello"}),
            json!({"type": "Broadcast", "message": "hello"}),
        ),
    ] {
        for over_bus in [false, true] {
            let messages = json!([message]);
            let results = match over_bus {
                true => publishing.publish_on_bus(messages).await,
                false => publishing.publish(messages).await,
            };
            let mut frame = client.frame().await;
            let fields = frame.as_object_mut().unwrap();
            assert!(fields.remove("time").is_some());
            assert_eq!(
                fields.remove("eventId"),
                Some(results[0]["eventId"].clone())
            );
            let offset = fields.remove("offset");
            fields.remove("epoch");
            if !over_bus {
                assert_eq!(results[0].get("offset"), offset.as_ref());
            }
            assert_eq!(frame, push);
        }
    }
    publishing.stack.stop().await;
}

/// The retries of a request and the same message as an event have one id and one position, by which clients
/// drop repeats.
#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn message_with_one_key_has_one_id_and_one_offset_by_every_way() {
    let publishing = Publishing::start().await;
    let stack = &publishing.stack;
    let mut client = stack.client_of("ann").await;
    let subscribe = json!({"action": "subscribe", "entityId": "logged:1"});
    assert_eq!(client.ask(subscribe).await["offset"], 0);
    let message = json!({"entityId": "logged:1", "message": "once", "idempotencyKey": "k-1"});
    let first = publishing.publish(json!([message, message])).await;
    let again = publishing.publish(json!([message])).await;
    let over_bus = publishing.publish_on_bus(json!([message])).await;
    stack.put_event("Entity Updated", message).await;
    assert_eq!(
        (&first[0]["eventId"], &first[0]["offset"]),
        (&json!("k-1"), &json!(1))
    );
    assert_eq!((&first[1], &again[0]), (&first[0], &first[0]));
    assert_eq!(over_bus, [json!({"eventId": "k-1"})]);
    publishing
        .publish(json!([{"entityId": "logged:1", "message": "the end"}]))
        .await;
    let mut deduplicated = Deduplicated::default();
    while deduplicated.messages != [json!("once"), json!("the end")] {
        deduplicated.receive(client.frame().await);
    }
    let request = json!({"action": "history", "entityId": "logged:1", "last": 10});
    client.send_text(&request.to_string()).await;
    let mut history = client.frame().await;
    while history["type"] != "ack" {
        // A repeat.
        history = client.frame().await;
    }
    let kept: Vec<_> = history["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|frame| &frame["message"])
        .collect();
    assert_eq!(kept, [&json!("once"), &json!("the end")], "{history}");
    publishing.stack.stop().await;
}

/// The messages of a client that keeps the rules of docs/clients.md for positions.
#[derive(Default)]
struct Deduplicated {
    offset: u64,
    held: Vec<Value>,
    messages: Vec<Value>,
}

impl Deduplicated {
    fn receive(&mut self, frame: Value) {
        self.held.push(frame);
        while let Some(index) = self
            .held
            .iter()
            .position(|frame| frame["offset"] == self.offset + 1)
        {
            self.offset += 1;
            self.messages
                .push(self.held.remove(index)["message"].clone());
        }
    }
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn batch_to_several_audiences_has_a_result_for_each_message() {
    let publishing = Publishing::start().await;
    let mut client = publishing.stack.client_of("ann").await;
    for entity in ["logged:1", "logged:2"] {
        let subscribe = json!({"action": "subscribe", "entityId": entity});
        assert_eq!(client.ask(subscribe).await["offset"], 0);
    }
    client.subscribe("order-1").await;
    let messages: Vec<Value> = (0..100)
        .map(|number| match number % 5 {
            0 => json!({"entityId": "logged:1", "message": number}),
            1 => json!({"entityId": "order-1", "message": number}),
            2 => json!({"userId": "ann", "message": number}),
            3 => json!({"broadcast": true, "message": number}),
            _ => json!({"entityId": "logged:2", "message": number}),
        })
        .collect();
    let results = publishing.publish(json!(messages)).await;
    assert_eq!(results.len(), 100);
    for (number, result) in results.iter().enumerate() {
        assert!(result["eventId"].is_string(), "{result}");
        let offset = json!(number / 5 + 1);
        let expected = (number % 5 != 1 && number % 5 != 2).then_some(&offset);
        assert_eq!(result.get("offset"), expected, "{number}: {result}");
    }
    let mut received: Vec<_> = Vec::new();
    for _ in 0..100 {
        let frame = client.frame().await;
        received.push((frame["message"].as_u64().unwrap(), frame["eventId"].clone()));
    }
    received.sort_by_key(|(number, _)| *number);
    let expected: Vec<_> = (0..)
        .zip(results.iter().map(|result| result["eventId"].clone()))
        .collect();
    assert_eq!(received, expected);
    publishing.stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn older_version_of_a_last_message_is_stale() {
    let publishing = Publishing::start().await;
    let send = async |version: u64| {
        let message = json!({"entityId": "last:1", "message": version, "version": version});
        publishing.publish(json!([message])).await[0].clone()
    };
    assert_eq!(send(7).await["offset"], 1);
    let stale = send(6).await;
    assert_eq!(
        (
            stale.get("offset"),
            &stale["stale"],
            stale["eventId"].is_string()
        ),
        (None, &json!(true), true),
        "{stale}"
    );
    assert_eq!(send(8).await["offset"], 2);
    publishing.stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn message_over_the_bus_has_a_source_that_the_rule_matches() {
    let parameters = [("EventSource", "shop,shop.returns")];
    let publishing = Publishing::start_with(&parameters).await;
    let mut client = publishing.stack.client_of("ann").await;
    let results = publishing
        .publish_on_bus(json!([{"userId": "ann", "message": 1}]))
        .await;
    assert_eq!(client.frame().await["eventId"], results[0]["eventId"]);
    publishing.stack.stop().await;
}
