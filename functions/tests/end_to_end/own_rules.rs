//! Rules of a user's own, which turn domain events into pushes.

use std::{fs, path::PathBuf};

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use herald_testkit::local_only;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{TestStack, repository, without_position};

/// The documented rule.
const DOCUMENTED: &str = "examples/order-shipped.yaml";

async fn stack(rules: PathBuf) -> TestStack {
    let stack = TestStack::try_start_with(|config| config.rules = vec![rules]);
    stack.await.unwrap()
}

/// Puts an event of the shop, and returns its id.
async fn put(stack: &TestStack, detail_type: &str, detail: Value) -> String {
    let entry = PutEventsRequestEntry::builder()
        .source("shop.orders")
        .detail_type(detail_type)
        .detail(detail.to_string())
        .build();
    let events = aws_sdk_eventbridge::Client::new(stack.aws());
    let put = events.put_events().entries(entry).send().await.unwrap();
    assert_eq!(put.failed_entry_count(), 0, "{put:?}");
    put.entries()[0].event_id().unwrap().to_owned()
}

#[local_only("needs a rule of its own")]
#[tokio::test]
async fn domain_event_is_pushed_to_the_subscribers_of_its_entity() {
    let stack = stack(repository().join(DOCUMENTED)).await;
    let mut client = stack.client().await;
    client.subscribe("order-1").await;
    let entries = fs::read_to_string(repository().join("examples/order-shipped.json")).unwrap();
    let entries: Value = serde_json::from_str(&entries).unwrap();
    let detail: Value = serde_json::from_str(entries[0]["Detail"].as_str().unwrap()).unwrap();
    let id = put(&stack, "Order Shipped", detail).await;
    let mut frame = without_position(client.frame().await);
    frame["time"] = json!("now");
    assert_eq!(
        frame,
        json!({
            "type": "Entity Updated", "entityId": "order-1", "eventId": id, "time": "now",
            "message": {"state": "shipped", "carrier": "DHL"},
        })
    );
    stack.stop().await;
}

#[local_only("needs a rule of its own")]
#[tokio::test]
async fn event_without_a_field_of_the_rule_is_a_dead_letter_that_names_it() {
    let stack = stack(repository().join(DOCUMENTED)).await;
    put(&stack, "Order Shipped", json!({"orderId": "order-1"})).await;
    let letter = stack.notifications().next_dead_letter().await;
    assert_eq!(
        letter.reason,
        "the record is not a push: the message is not JSON after the field `carrier`: expected value at line 1 column 68"
    );
    stack.stop().await;
}

#[local_only("needs a rule of its own")]
#[tokio::test]
async fn part_of_an_event_is_pushed_under_the_id_of_its_message() {
    let folder = TempDir::new().unwrap();
    let rules = folder.path().join("shop.yaml");
    let template = "
Parameters:
  NotificationQueueArn: { Type: String }
Resources:
  Shipped:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: { source: [shop.orders] }
      Targets: [{ Id: herald, Arn: !Ref NotificationQueueArn, InputPath: $.detail.push }]
";
    fs::write(&rules, template).unwrap();
    let stack = stack(rules).await;
    let mut client = stack.client().await;
    client.subscribe("order-1").await;
    let push = json!({"entityId": "order-1", "message": "shipped"});
    let id = put(&stack, "Order Shipped", json!({"orderId": 1, "push": push})).await;
    let frame = client.frame().await;
    assert_eq!(frame["message"], "shipped");
    assert_ne!(frame["eventId"], id);
    assert_eq!(frame["eventId"].as_str().unwrap().len(), 36, "{frame}");

    put(&stack, "Order Shipped", json!({"orderId": 1})).await;
    let letter = stack.notifications().next_dead_letter().await;
    assert_eq!(letter.body, "null");
    assert!(
        letter.reason.starts_with("the record is not a push: "),
        "{letter:?}"
    );
    stack.stop().await;
}
