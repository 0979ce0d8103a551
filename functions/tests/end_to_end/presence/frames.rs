//! Snapshots, frames, permissions and refusals.

use herald_testkit::local_only;
use serde_json::{Value, json};

use crate::harness::{Client, TestStack};

/// The rooms have presence, and all but `order:*` no log, so that no other frame comes between.
pub(super) const ROOMS: &[(&str, &str)] = &[
    ("Presence", r#"{"room:**":{"interval":1,"members":3}}"#),
    ("History", r#"{"order:*":{"messages":10,"seconds":600}}"#),
];

pub(super) fn watch(entity: &str) -> Value {
    json!({"action": "subscribe", "entityId": entity, "presence": true})
}

async fn present(client: &mut Client, entity: &str) -> Value {
    let ack = client
        .ask(json!({"action": "presence", "entityId": entity}))
        .await;
    assert_eq!(
        (&ack["type"], &ack["action"]),
        (&json!("ack"), &json!("presence")),
        "{ack}"
    );
    ack["presence"].clone()
}

#[local_only("has parameters and tokens of its own")]
#[tokio::test]
async fn watchers_are_told_who_joins_and_leaves() {
    let stack = TestStack::start_with_users_and_parameters(ROOMS).await;
    let mut ann = stack.client_with_info("ann", json!({"name": "Ann"})).await;
    let ack = ann.ask(watch("room:1")).await;
    let of_ann = json!({"userId": "ann", "connections": 1, "info": {"name": "Ann"}});
    assert_eq!(
        ack,
        json!({
            "type": "ack", "action": "subscribe", "entityId": "room:1", "keepAlive": 240,
            "presence": {"version": 0, "count": 1, "members": [of_ann]},
        })
    );
    let first = ann.frame().await;
    assert_eq!(
        first,
        json!({
            "type": "presence", "entityId": "room:1", "version": 1, "count": 1,
            "joined": [of_ann], "left": [],
        })
    );

    // A member is seen without asking for presence, and is not told of others.
    let mut bob = stack.client_of("bob").await;
    let ack = bob
        .ask(json!({"action": "subscribe", "entityId": "room:1"}))
        .await;
    assert_eq!(
        ack,
        json!({"type": "ack", "action": "subscribe", "entityId": "room:1", "keepAlive": 240})
    );
    let second = ann.frame().await;
    let of_bob = json!({"userId": "bob", "connections": 1});
    assert_eq!(
        (&second["version"], &second["joined"], &second["left"]),
        (&json!(2), &json!([of_bob]), &json!([]))
    );
    let expected = json!({"version": 2, "count": 2, "members": [of_ann, of_bob]});
    assert_eq!(present(&mut bob, "room:1").await, expected);

    let unsubscribe = json!({"action": "unsubscribe", "entityId": "room:1"});
    assert_eq!(bob.ask(unsubscribe).await["type"], "ack");
    let third = ann.frame().await;
    assert_eq!(
        (&third["version"], &third["count"], &third["left"]),
        (&json!(3), &json!(1), &json!([{"userId": "bob"}]))
    );
    bob.subscribe("room:1").await;
    assert_eq!(ann.frame().await["joined"], json!([of_bob]));
    bob.close().await;
    assert_eq!(ann.frame().await["left"], json!([{"userId": "bob"}]));
    let expected = json!({"version": 5, "count": 1, "members": [of_ann]});
    assert_eq!(present(&mut ann, "room:1").await, expected);
    stack.stop().await;
}

#[local_only("has parameters and tokens of its own")]
#[tokio::test]
async fn count_alone_is_told_above_the_limit() {
    let stack = TestStack::start_with_users_and_parameters(ROOMS).await;
    let mut ann = stack.client_of("ann").await;
    ann.ask(watch("room:1")).await;
    assert_eq!(ann.frame().await["count"], 1);
    let mut others = Vec::new();
    for number in 0..3 {
        let mut other = stack.client_of(&format!("user-{number}")).await;
        other.subscribe("room:1").await;
        others.push(other);
    }
    let mut frame = ann.frame().await;
    while frame["count"] != 4 {
        frame = ann.frame().await;
    }
    assert_eq!((frame.get("joined"), frame.get("left")), (None, None));
    let version = frame["version"].clone();
    let expected = json!({"version": version, "count": 4});
    assert_eq!(present(&mut ann, "room:1").await, expected);
    assert_eq!(ann.ask(watch("room:1")).await["presence"], expected);

    others.remove(0).close().await;
    let frame = ann.frame().await;
    assert_eq!(
        (&frame["count"], &frame["left"]),
        (&json!(3), &json!([{"userId": "user-0"}]))
    );
    stack.stop().await;
}

#[local_only("has parameters of its own")]
#[tokio::test]
async fn anonymous_connections_are_counted_and_not_listed() {
    let stack = TestStack::start_with_parameters(ROOMS).await;
    let mut first = stack.client().await;
    let ack = first.ask(watch("room:1")).await;
    let alone = json!({"version": 0, "count": 1, "members": []});
    assert_eq!(ack["presence"], alone);
    assert_eq!(first.frame().await["count"], 1);
    let mut second = stack.client().await;
    second.subscribe("room:1").await;
    let frame = first.frame().await;
    assert_eq!(
        (&frame["count"], &frame["joined"], &frame["left"]),
        (&json!(2), &json!([]), &json!([]))
    );
    stack.stop().await;
}

#[local_only("has parameters and tokens of its own")]
#[tokio::test]
async fn presence_needs_a_policy_and_its_permission() {
    let stack = TestStack::start_with_users_and_parameters(ROOMS).await;
    let token = stack.token("ann", r#"{"**":["subscribe"],"room:1":["presence"]}"#);
    let mut ann = stack.client_with(&token).await;
    let forbidden = "you may not see the presence of room:2: no permission of your token allows it";
    for request in [
        watch("room:2"),
        json!({"action": "presence", "entityId": "room:2"}),
    ] {
        let refused = ann.ask(request).await;
        assert_eq!(
            (&refused["code"], &refused["message"]),
            (&json!("forbidden"), &json!(forbidden))
        );
    }
    let entities =
        json!({"room:1": {"presence": true}, "room:2": {"presence": true}, "order:1": {}});
    let ack = ann
        .ask(json!({"action": "subscribe", "entities": entities}))
        .await;
    let results = &ack["entities"];
    assert_eq!(results["room:1"]["presence"]["count"], 1, "{ack}");
    assert_eq!(results["room:2"]["error"]["message"], forbidden);
    assert_eq!(results["order:1"].get("presence"), None);
    assert_eq!(ack["keepAlive"], 240);
    // A refused subscribe makes no member.
    let entities = json!({"room:2": {"presence": true}, "order:1": {}});
    let ack = ann
        .ask(json!({"action": "subscribe", "entities": entities}))
        .await;
    assert_eq!(ack["entities"]["room:2"]["error"]["message"], forbidden);
    assert_eq!(ack.get("keepAlive"), None, "{ack}");

    // Without a policy there is nothing to see, with any permission.
    let mut eve = stack.client_of("eve").await;
    let ack = eve.ask(watch("chat")).await;
    assert_eq!(
        ack,
        json!({"type": "ack", "action": "subscribe", "entityId": "chat"})
    );
    let refused = eve
        .ask(json!({"action": "presence", "entityId": "chat"}))
        .await;
    assert_eq!(
        (&refused["code"], &refused["message"]),
        (
            &json!("bad_request"),
            &json!(
                "this entity has no presence: the stack's parameter Presence has no policy for it"
            )
        )
    );
    let refused = eve
        .ask(json!({"action": "subscribe", "entityId": "room:1", "presence": 1}))
        .await;
    assert_eq!(refused["message"], "presence must be true or false");
    stack.stop().await;
}

#[local_only("has parameters and tokens of its own")]
#[tokio::test]
async fn second_connection_and_reconnect_within_the_interval_are_not_told() {
    let stack = TestStack::start_with_users_and_parameters(ROOMS).await;
    let mut ann = stack.client_of("ann").await;
    ann.ask(watch("room:1")).await;
    assert_eq!(ann.frame().await["version"], 1);
    let mut first = stack.client_of("bob").await;
    first.subscribe("room:1").await;
    assert_eq!(ann.frame().await["version"], 2);
    // The second connection joins before the first one leaves.
    let mut second = stack.client_of("bob").await;
    second.subscribe("room:1").await;
    first.close().await;
    // A third user's joining is the next frame.
    let mut carol = stack.client_of("carol").await;
    carol.subscribe("room:1").await;
    let frame = ann.frame().await;
    assert_eq!(
        (&frame["version"], &frame["joined"], &frame["left"]),
        (
            &json!(3),
            &json!([{"userId": "carol", "connections": 1}]),
            &json!([])
        )
    );
    // Without `presence` in a further subscribe, no frame follows.
    ann.subscribe("room:1").await;
    carol.close().await;
    second.close().await;
    let mut dan = stack.client_of("dan").await;
    let ack = dan.ask(watch("room:1")).await;
    assert!(ack["presence"]["version"].as_u64().unwrap() >= 3, "{ack}");
    assert_eq!(dan.frame().await["type"], "presence");
    assert_eq!(
        ann.ask(json!({"action": "ping"})).await,
        json!({"type": "pong"})
    );
    stack.stop().await;
}
