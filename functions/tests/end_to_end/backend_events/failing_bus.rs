//! A bus that fails, throttles or hangs: no client notices, and no event is lost.

use herald_testkit::local_only;
use serde_json::json;

use super::{
    ALL,
    bus::{Answers, RecordingBus},
};
use crate::{
    harness::{TestStack, until},
    proxy::Proxy,
};

/// Connects, subscribes, unsubscribes and disconnects. Returns when the rows are gone.
async fn visit(stack: &TestStack) {
    let mut client = stack.client_of("ann").await;
    client.subscribe("room:1").await;
    client.subscribe("room:2").await;
    let unsubscribe = json!({"action": "unsubscribe", "entityId": "room:1"});
    assert_eq!(client.ask(unsubscribe).await["type"], "ack");
    client.close().await;
    until("no row is left", async || stack.rows().await.is_empty()).await;
}

/// The number of events of a visit.
const OF_VISIT: usize = 6;

#[local_only("needs a bus of the test's own")]
#[tokio::test]
async fn events_wait_on_the_queue_while_the_bus_fails() {
    let bus = RecordingBus::start().await;
    let stack = bus.stack(ALL).await;
    bus.set_answers(Answers::Fail);
    visit(&stack).await;
    until(
        "the events of all four functions are on the queue",
        async || stack.messages("NotificationQueue").len() >= 4,
    )
    .await;
    assert_eq!(bus.all().len(), 0);
    bus.set_answers(Answers::Accept);
    until("all events are on the bus", async || {
        bus.all().len() == OF_VISIT && stack.messages("NotificationQueue").is_empty()
    })
    .await;
    assert!(stack.messages("NotificationDeadLetterQueue").is_empty());
    stack.stop().await;
}

#[local_only("needs a bus of the test's own")]
#[tokio::test]
async fn throttled_events_are_put_again() {
    let bus = RecordingBus::start().await;
    let stack = bus.stack(ALL).await;
    bus.set_answers(Answers::ThrottleHalf);
    visit(&stack).await;
    until("all events are on the bus", async || {
        bus.all().len() == OF_VISIT
    })
    .await;
    stack.stop().await;
}

#[local_only("needs a bus that hangs")]
#[tokio::test]
async fn bus_that_hangs_fails_no_client() {
    let proxy = Proxy::start().await;
    let stack = TestStack::try_start_with(|config| {
        config.authentication = herald_local::Authentication::Secret;
        config
            .parameters
            .extend([("BackendEvents".to_owned(), ALL.to_owned())]);
        let endpoint = (
            "AWS_ENDPOINT_URL_EVENTBRIDGE".to_owned(),
            proxy.endpoint.clone(),
        );
        config.environment.extend([endpoint]);
    });
    let stack = stack.await.unwrap();
    proxy.forward_to(&stack.running().addresses().endpoint);
    proxy.block(true);
    visit(&stack).await;
    until("the last event is on the queue", async || {
        let waiting = stack.messages("NotificationQueue");
        let is_last = |body: &str| body.contains(r#""id":"closed:"#);
        waiting.iter().any(|message| is_last(&message.content.body))
    })
    .await;
    stack.stop().await;
}
