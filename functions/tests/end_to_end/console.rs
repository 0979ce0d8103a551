//! The console's view of the real functions: the records of an event from its sender to its clients,
//! connected by the event's id.

use bytes::Bytes;
use herald_testkit::local_only;
use http_body_util::Empty;
use hyper::{Method, Request};
use hyper_util::{client::legacy::Client as HttpClient, rt::TokioExecutor};
use serde_json::{Value, json};

use crate::{
    harness::{TestStack, until},
    watcher::Watcher,
};

/// Returns a watcher that receives every record from the start.
async fn watch(stack: &TestStack) -> Watcher {
    Watcher::start(&stack.running().addresses().endpoint, None).await
}

/// Returns the next record of a kind about an event.
async fn about(watcher: &mut Watcher, kind: &str, event_id: &str) -> Value {
    loop {
        let record = watcher.record_of(kind).await;
        let ids = record["eventIds"].as_array().unwrap();
        if ids.iter().any(|id| id == event_id) {
            return record;
        }
    }
}

#[local_only("needs the local console")]
#[tokio::test]
async fn records_follow_an_event_from_the_bus_to_the_client() {
    let stack = TestStack::start_with_users().await;
    let mut watcher = watch(&stack).await;
    let mut client = stack.client_of("alice").await;
    client.subscribe("order-1").await;
    let connected = watcher.record_of("connected").await;
    assert_eq!(connected["userId"], "alice");
    let subscribed = watcher.record_of("request").await;
    assert_eq!(subscribed["routeKey"], "subscribe");
    assert_eq!(subscribed["function"], "SubscribeFunction");
    let reply = r#"{"type":"ack","action":"subscribe","entityId":"order-1","offset":0,"top":0}"#;
    assert_eq!(subscribed["reply"], reply);

    let detail = json!({"entityId": "order-1", "message": 1, "idempotencyKey": "k-1"});
    stack.put_event("Entity Updated", detail.clone()).await;
    client.frame().await;
    let event = watcher.record_of("event").await;
    assert_eq!(event["eventId"], "k-1");
    assert_eq!(event["detail"], detail);
    assert_eq!(event["rules"], json!(["herald-local-NotificationRule"]));
    let queued = about(&mut watcher, "queued", "k-1").await;
    assert_eq!(queued["queue"], "NotificationQueue");
    let post = about(&mut watcher, "post", "k-1").await;
    assert_eq!(post["status"], 200);
    assert_eq!(post["connectionId"], connected["connectionId"]);
    let invocation = about(&mut watcher, "invocation", "k-1").await;
    assert_eq!(invocation["function"], "NotifierFunction");
    assert_eq!(invocation["outcome"], "ok");
    assert_eq!(invocation["queue"], "NotificationQueue");
    assert_eq!(invocation["records"], 1);
    let logs = invocation["logs"].as_array().unwrap();
    let mut logs = logs.iter().map(|line| line.as_str().unwrap());
    assert!(logs.any(|line| line.contains("delivered a batch")));
    stack.stop().await;
}

#[local_only("needs the local console")]
#[tokio::test]
async fn records_of_a_message_have_its_acknowledged_id() {
    let stack = TestStack::start().await;
    let mut sender = stack.client().await;
    let mut receiver = stack.client().await;
    receiver.subscribe("order-1").await;
    let message = json!({"action": "sendMessage", "entityId": "order-1", "message": "hi"});
    let ack = sender.ask(message).await;
    let id = ack["eventId"].as_str().unwrap();
    receiver.frame().await;
    // A new watcher for each, because the function's invocation ends while the message is in flight.
    for (kind, member, expected) in [
        ("request", "routeKey", json!("sendMessage")),
        ("invocation", "function", json!("SendMessageFunction")),
        ("queued", "queue", json!("NotificationQueue")),
        ("post", "status", json!(200)),
    ] {
        let record = about(&mut watch(&stack).await, kind, id).await;
        assert_eq!(record[member], expected, "{record}");
    }
    stack.stop().await;
}

#[local_only("needs the local console")]
#[tokio::test]
async fn push_to_a_gone_connection_is_recorded_as_410() {
    let stack = TestStack::start().await;
    let mut watcher = watch(&stack).await;
    let gone = "PcQeDRO4gIEm4LQ=".to_owned();
    stack.seed("order-1", std::iter::once(gone.clone())).await;
    let detail = json!({"entityId": "order-1", "message": 1, "idempotencyKey": "k-1"});
    stack.put_event("Entity Updated", detail).await;
    let post = about(&mut watcher, "post", "k-1").await;
    assert_eq!(post["status"], 410);
    assert_eq!(post["connectionId"], gone);
    assert!(post["bytes"].as_u64().unwrap() > 0);
    stack.stop().await;
}

#[local_only("needs the local console")]
#[tokio::test]
async fn records_follow_an_invalid_message_to_the_dead_letters_and_back() {
    let stack = TestStack::start().await;
    let mut watcher = watch(&stack).await;
    let detail = json!({"entityId": 5, "idempotencyKey": "k-1"});
    stack.put_event("Entity Updated", detail).await;
    let sent = about(&mut watcher, "queued", "k-1").await;
    assert_eq!(sent["queue"], "NotificationQueue");
    let dead_letter = about(&mut watcher, "queued", "k-1").await;
    assert_eq!(dead_letter["queue"], "NotificationDeadLetterQueue");
    assert_eq!(dead_letter["cause"], "sent");

    replay(
        &stack,
        "NotificationDeadLetterQueue",
        &dead_letter["messageId"],
    )
    .await;
    let replayed = about(&mut watcher, "queued", "k-1").await;
    assert_eq!(replayed["queue"], "NotificationQueue");
    assert_eq!(replayed["cause"], "replayed");
    let again = about(&mut watcher, "queued", "k-1").await;
    assert_eq!(again["queue"], "NotificationDeadLetterQueue");
    until("the dead letter is back", async || {
        let letters = stack.messages("NotificationDeadLetterQueue");
        letters.len() == 1 && again["messageId"] == letters[0].id.as_str()
    })
    .await;
    stack.stop().await;
}

async fn replay(stack: &TestStack, queue: &str, message_id: &Value) {
    let endpoint = &stack.running().addresses().endpoint;
    let id = message_id.as_str().unwrap();
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!(
            "{endpoint}/console/queues/{queue}/messages/{id}/replay"
        ))
        .body(Empty::<Bytes>::new());
    let client = HttpClient::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request.unwrap()).await.unwrap();
    assert_eq!(answer.status(), 204);
}
