//! The causes of the ends that the notifier and `connect` find.

use herald_testkit::local_only;
use serde_json::{Value, json};

use super::{ALL, bus::RecordingBus};
use crate::{
    ending::end_token,
    harness::{TestStack, old},
};

/// Starts a stack whose gateway sends no `$disconnect`, so that only the notifier and `connect` remove
/// connections.
async fn start_without_disconnects(bus: &RecordingBus) -> TestStack {
    let stack = TestStack::try_start_with(|config| {
        bus.configure(config, ALL);
        config
            .parameters
            .extend([("ConnectionsPerUser".to_owned(), "2".to_owned())]);
        config.faults.gateway.lost_disconnects = 1.0;
    });
    stack.await.unwrap()
}

/// Waits for the events of an end, and returns the detail-type and the cause of each.
async fn ends(bus: &RecordingBus, expected: usize) -> Vec<(&'static str, Value)> {
    let mut ends = Vec::new();
    while ends.len() < expected {
        let taken = bus.next_details().await.into_iter();
        ends.extend(taken.filter(|(_, detail)| !detail["cause"].is_null()));
    }
    let mut ends: Vec<_> = ends
        .into_iter()
        .map(|(kind, detail)| (kind, detail["cause"].clone()))
        .collect();
    ends.sort_by_key(|(kind, _)| *kind);
    ends
}

fn both(cause: &str) -> [(&'static str, Value); 2] {
    [
        ("Connection Closed", json!(cause)),
        ("Entity Unsubscribed", json!(cause)),
    ]
}

#[local_only("needs a gateway that loses `$disconnect`")]
#[tokio::test]
async fn cause_tells_the_ends_that_herald_finds_and_makes_apart() {
    let bus = RecordingBus::start().await;
    let stack = start_without_disconnects(&bus).await;

    let mut client = stack.client_of("joe").await;
    client.subscribe("room:1").await;
    end_token(&stack, "joe").await;
    let about = |room: &str| json!({"entityId": room, "message": 1});
    stack.put_event("Entity Updated", about("room:1")).await;
    assert_eq!(client.frame().await["code"], "token_expired");
    assert_eq!(ends(&bus, 2).await, both("tokenEnded"));

    let mut client = stack.client_of("eve").await;
    client.subscribe("room:2").await;
    stack
        .put_event("Disconnect User", json!({"userId": "eve"}))
        .await;
    assert_eq!(client.frame().await["type"], "disconnect");
    assert_eq!(ends(&bus, 2).await, both("userDisconnected"));

    stack
        .leave_behind("PcQeDRO4gIEm4LQ=", "room:3", old())
        .await;
    stack.put_event("Entity Updated", about("room:3")).await;
    assert_eq!(ends(&bus, 2).await, both("gone"));

    stack.leave_connections_of("max", 2).await;
    stack.client_of("max").await;
    let closed = ("Connection Closed", json!("gone"));
    assert_eq!(ends(&bus, 2).await, [closed.clone(), closed]);
    stack.stop().await;
}
