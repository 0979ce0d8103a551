//! The delivery of published messages.

use herald_testkit::local_only;
use serde_json::json;

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
