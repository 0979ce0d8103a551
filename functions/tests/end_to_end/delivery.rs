//! Delivery of an event from the bus to its recipients.

use herald_testkit::local_only;
use serde_json::json;
use tokio_tungstenite::tungstenite;

use crate::harness::{TestStack, old, until, without_position};

#[tokio::test]
async fn only_subscribers_get_an_event_about_their_entity() {
    let stack = TestStack::start().await;
    let mut subscriber = stack.client().await;
    let mut other = stack.client().await;
    subscriber.subscribe("order-1").await;
    other.subscribe("order-2").await;
    let message = json!({"status": "shipped", "items": [1, 2.5, null]});
    let detail = json!({"entityId": "order-1", "message": message, "idempotencyKey": "key-1"});
    stack.put_event("Entity Updated", detail).await;
    let mut push = without_position(subscriber.frame().await);
    let time = push.as_object_mut().unwrap().remove("time").unwrap();
    assert!(time.as_str().unwrap().ends_with('Z'));
    assert_eq!(
        push,
        json!({
            "type": "Entity Updated",
            "entityId": "order-1",
            "message": message,
            "eventId": "key-1",
        })
    );
    stack
        .put_event("Broadcast", json!({"message": "to all"}))
        .await;
    assert_eq!(other.frame().await["message"], "to all");
    assert_eq!(subscriber.frame().await["message"], "to all");
    stack.stop().await;
}

#[local_only("needs tokens, which the local stack signs")]
#[tokio::test]
async fn notification_reaches_all_connections_of_its_user() {
    let stack = TestStack::start_with_users().await;
    let mut phone = stack.client_of("ann").await;
    let mut browser = stack.client_of("ann").await;
    let mut other = stack.client_of("ben").await;
    let callback = json!({"open": "/orders/1"});
    let detail = json!({"userId": "ann", "message": "Hello Ann", "callback": callback});
    stack.put_event("Send User Push Notification", detail).await;
    let mut event_ids = Vec::new();
    for client in [&mut phone, &mut browser] {
        let push = client.frame().await;
        assert_eq!(push["type"], "User Push Notification");
        assert_eq!(push["message"], "Hello Ann");
        assert_eq!(push["callback"], callback);
        event_ids.push(push["eventId"].clone());
    }
    assert_eq!(event_ids[0], event_ids[1]);
    stack
        .put_event("Broadcast", json!({"message": "to all"}))
        .await;
    assert_eq!(other.frame().await["message"], "to all");
    stack.stop().await;
}

#[tokio::test]
async fn event_of_another_detail_type_reaches_no_connection() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    client.subscribe("order-1").await;
    let detail = json!({"entityId": "order-1", "message": "not for us"});
    stack.put_event("order.updated", detail.clone()).await;
    stack.put_event("entity updated", detail).await;
    stack
        .put_event("Broadcast", json!({"message": "for us"}))
        .await;
    assert_eq!(client.frame().await["message"], "for us");
    stack.stop().await;
}

/// The table has the rows of a connection that the gateway does not know. The gateway answers the push
/// with 410, which is not a failure, and the notifier removes the rows.
#[tokio::test]
async fn gone_connection_is_forgotten_at_the_next_push() {
    let stack = TestStack::start().await;
    let mut live = stack.client().await;
    live.subscribe("order-1").await;
    let gone = "PcQeDRO4gIEm4LQ=";
    for connection in [gone, "no-id-of-the-gateways"] {
        stack.leave_behind(connection, "order-1", old()).await;
    }
    assert_eq!(stack.rows().await.len(), 9);
    let detail = json!({"entityId": "order-1", "message": "hello"});
    stack.put_event("Entity Updated", detail).await;
    assert_eq!(live.frame().await["message"], "hello");
    until("the rows of the gone connections are removed", async || {
        stack.rows().await.len() == 3
    })
    .await;
    let queues = stack.notifications();
    queues.until_idle().await;
    assert_eq!(queues.length(&queues.dead_letters).await, 0);
    stack.stop().await;
}

/// A record that is not a push does not affect the other records, and becomes a dead letter with the
/// reason after one receive.
#[tokio::test]
async fn poison_record_in_a_batch_of_ten_is_a_dead_letter_at_once() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    let poison = "neither an event nor a push";
    let mut bodies: Vec<_> = (0..9).map(broadcast_event).collect();
    bodies.insert(4, poison.to_owned());
    let queues = stack.notifications();
    queues.notify(&bodies).await;
    let mut numbers = Vec::new();
    for _ in 0..9 {
        numbers.push(client.frame().await["message"].as_u64().unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    queues.until_idle().await;
    let dead_letter = queues.next_dead_letter().await;
    assert_eq!(dead_letter.body, poison);
    assert!(
        dead_letter.reason.starts_with("the record is not a push"),
        "{dead_letter:?}"
    );
    assert_eq!(queues.length(&queues.dead_letters).await, 1);
    stack.stop().await;
}

fn broadcast_event(number: usize) -> String {
    json!({
        "version": "0",
        "id": format!("e-{number}"),
        "detail-type": "Broadcast",
        "source": "test",
        "time": "2026-11-20T10:15:30Z",
        "detail": {"message": number},
    })
    .to_string()
}

#[tokio::test]
async fn unknown_stage_is_forbidden() {
    let stack = TestStack::start().await;
    let web_socket = stack.web_socket();
    let (api, stage) = web_socket.rsplit_once('/').unwrap();
    let url = format!("{api}/no-{stage}");
    let refused = tokio_tungstenite::connect_async(url).await.unwrap_err();
    let tungstenite::Error::Http(response) = refused else {
        panic!("{refused}")
    };
    assert_eq!(response.status(), 403);
    assert!(stack.rows().await.is_empty());
    stack.stop().await;
}
