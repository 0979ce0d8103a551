//! Events for the backend: the changes, the rule of a backend that gets them, and a bus that fails.

mod bus;
mod causes;
mod failing_bus;
mod own_rule;

use herald_local::iam::Revoked;
use herald_testkit::local_only;
use serde_json::{Value, json};

use self::bus::RecordingBus;
use crate::harness::{TestStack, until};

/// The kinds of every entity and connection.
const ALL: &str = r#"{"$connections":["opened","closed"],"**":["subscribed","unsubscribed"]}"#;

#[local_only("needs a bus of the test's own")]
#[tokio::test]
async fn every_change_is_an_event_and_a_repeat_is_none() {
    let bus = RecordingBus::start().await;
    let kinds = r#"{"$connections":["opened","closed"],"room:**":["subscribed","unsubscribed"],"room:quiet":null}"#;
    let stack = bus.stack(kinds).await;
    let mut client = stack.client_of("ann").await;
    let entities = json!({"room:1": {}, "room:2": {}, "room:quiet": {}, "other": {}});
    let subscribe = json!({"action": "subscribe", "entities": entities});
    for _ in 0..2 {
        assert_eq!(client.ask(subscribe.clone()).await["type"], "ack");
    }
    for entity in ["room:1", "room:1", "room:quiet"] {
        let unsubscribe = json!({"action": "unsubscribe", "entityId": entity});
        assert_eq!(client.ask(unsubscribe).await["type"], "ack");
    }
    client.close().await;
    let about =
        |entity: &str, change: u64| json!({"userId": "ann", "entityId": entity, "change": change});
    let with = |mut detail: Value, end: Value| {
        let fields = detail.as_object_mut().unwrap();
        fields.extend(end.as_object().unwrap().clone());
        detail
    };
    let unsubscribed = json!({"cause": "unsubscribed"});
    let ended = json!({
        "cause": "disconnected", "statusCode": 1005,
        "reason": "Client-side close frame status not set",
    });
    let expected = [
        (
            "Connection Closed",
            with(json!({"userId": "ann"}), ended.clone()),
        ),
        ("Connection Opened", json!({"userId": "ann"})),
        ("Entity Subscribed", about("room:1", 1)),
        ("Entity Subscribed", about("room:2", 1)),
        (
            "Entity Unsubscribed",
            with(about("room:1", 3), unsubscribed),
        ),
        ("Entity Unsubscribed", with(about("room:2", 5), ended)),
    ];
    until("the end is an event", async || {
        bus.all()
            .iter()
            .any(|entry| entry["DetailType"] == "Connection Closed")
            && bus.all().len() >= expected.len()
    })
    .await;
    assert_eq!(bus.take_details(), expected);
    for entry in bus.all() {
        assert_eq!(
            (&entry["Source"], &entry["EventBusName"]),
            (&json!("herald"), &json!("default"))
        );
    }
    stack.stop().await;
}

#[local_only("needs a bus of the test's own")]
#[tokio::test]
async fn end_of_a_connection_is_an_event_for_each_of_its_entities() {
    let bus = RecordingBus::start().await;
    let stack = bus.stack(ALL).await;
    let mut client = stack.client_of("ann").await;
    let entities = (0..100).map(|number| format!("room:{number}"));
    client.subscribe_to_all(entities).await;
    until("all are subscribed", async || bus.all().len() == 101).await;
    client.close().await;
    until("all are unsubscribed", async || bus.all().len() == 202).await;
    assert!(bus.largest_call() <= 10);
    stack.stop().await;
}

#[local_only("needs a bus of the test's own")]
#[tokio::test]
async fn without_the_parameter_no_event_is_put_and_no_right_is_granted() {
    let bus = RecordingBus::start().await;
    let stack = bus.stack("{}").await;
    let mut client = stack.client_of("ann").await;
    client.subscribe("room:1").await;
    let unsubscribe = json!({"action": "unsubscribe", "entityId": "room:1"});
    assert_eq!(client.ask(unsubscribe).await["type"], "ack");
    client.close().await;
    until("no row is left", async || stack.rows().await.is_empty()).await;
    assert_eq!((bus.calls(), bus.all().len()), (0, 0));
    for role in &stack.running().stack().roles {
        let mut actions = role
            .policies
            .iter()
            .flat_map(|statement| &statement.actions);
        let puts = actions.any(|action| action == "events:PutEvents");
        assert!(!puts, "{}", role.function);
    }
    stack.stop().await;
}

/// A permission that is missing makes the subscribe fail after it changed the set of entities.
#[local_only("revokes a permission of a function")]
#[tokio::test]
async fn subscribe_that_fails_after_its_change_is_one_event_over_all_retries() {
    let bus = RecordingBus::start().await;
    let stack = TestStack::try_start_with(|config| {
        bus.configure(config, ALL);
        config.faults.revoked = vec![Revoked {
            function: "SubscribeFunction".to_owned(),
            action: "dynamodb:PutItem".to_owned(),
            resource: None,
        }];
    });
    let stack = stack.await.unwrap();
    let mut client = stack.client_of("ann").await;
    for _ in 0..3 {
        let subscribe = json!({"action": "subscribe", "entityId": "room:1"});
        assert_eq!(client.ask(subscribe).await["code"], "internal");
    }
    client.close().await;
    until("the end is an event", async || {
        bus.all()
            .iter()
            .any(|entry| entry["DetailType"] == "Entity Unsubscribed")
    })
    .await;
    let events = bus.take_details().into_iter();
    let subscribed = events.filter(|(kind, _)| *kind == "Entity Subscribed");
    assert_eq!(subscribed.count(), 1);
    stack.stop_after_refusals().await;
}

#[local_only("needs a bus of the test's own")]
#[tokio::test]
async fn change_of_members_is_an_event_without_a_client_that_watches() {
    let bus = RecordingBus::start().await;
    let stack = TestStack::try_start_with(|config| {
        bus.configure(config, r#"{"room:**":["presence"]}"#);
        let presence = r#"{"**":{"interval":1}}"#;
        let presence = ("Presence".to_owned(), presence.to_owned());
        config.parameters.extend([presence]);
    });
    let stack = stack.await.unwrap();
    let mut ann = stack.client_of("ann").await;
    ann.subscribe("room:1").await;
    ann.subscribe("order:1").await;
    let changed = async |expected: Value| {
        let changes = bus.next_details().await;
        assert_eq!(changes, [("Presence Changed", expected)]);
    };
    let joined = json!([{"userId": "ann", "connections": 1}]);
    changed(json!({
        "entityId": "room:1", "version": 1, "count": 1, "joined": joined, "left": [],
    }))
    .await;
    ann.close().await;
    changed(json!({
        "entityId": "room:1", "version": 2, "count": 0, "joined": [], "left": [{"userId": "ann"}],
    }))
    .await;
    stack.stop().await;
}
