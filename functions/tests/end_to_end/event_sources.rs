//! Event sources on a shared bus: the rule matches only the events of the configured ones.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use herald_testkit::local_only;
use serde_json::json;

use crate::{harness::TestStack, watcher::Watcher};

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn event_of_another_source_matches_no_rule() {
    let stack = TestStack::start_with_parameters(&[("EventSource", "shop,shop.returns")]).await;
    let mut watcher = Watcher::start(&stack.running().addresses().endpoint, None).await;
    let mut client = stack.client().await;
    client.subscribe("order-1").await;
    for (source, matches) in [
        ("billing", false),
        ("shop.returns.test", false),
        ("shop", true),
        ("shop.returns", true),
    ] {
        stack.put_entries(vec![entry(source)]).await;
        let event = watcher.record_of("event").await;
        let rules = event["rules"].as_array().unwrap();
        assert_eq!(!rules.is_empty(), matches, "{event}");
        if matches {
            assert_eq!(client.frame().await["message"], source);
        }
    }
    stack.stop().await;
}

/// Returns an event whose message is its source.
fn entry(source: &str) -> PutEventsRequestEntry {
    PutEventsRequestEntry::builder()
        .source(source)
        .detail_type("Entity Updated")
        .detail(json!({"entityId": "order-1", "message": source}).to_string())
        .build()
}
