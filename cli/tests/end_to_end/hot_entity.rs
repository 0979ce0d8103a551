//! Events about one entity above the rate that DynamoDB admits for one partition key.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use herald_local::{Authentication, faults::Faults};
use serde_json::Value;

use crate::harness::TestStack;

/// Write units a second of one partition key: DynamoDB's 1,000, for a machine that is slower.
const LIMIT: u64 = 20;
/// As many events as take 10 s at the limit, besides those of the first second.
const EVENTS: u64 = 11 * LIMIT;

#[tokio::test]
async fn hot_entity_loses_nothing_and_its_queue_ages() {
    let history = [("History", r#"{"**": {"messages": 300, "seconds": 3600}}"#)];
    let faults = Faults {
        hot_partition: Some(LIMIT as f64),
        ..Faults::default()
    };
    let stack = TestStack::start_with_faults(Authentication::Open, &history, faults).await;
    let rate = EVENTS.to_string();
    let bench = ["bench", "-c", "2", "-e", "1", "-r", &rate, "-d", "1s"];
    let bench = [&bench[..], &["--drain", "5m", "--json"]].concat();
    let bench = stack.herald(&bench).run("");
    let (ended, age) = tokio::join!(bench, greatest_age(&stack));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let report: Value = serde_json::from_str(&ended.stdout).expect("a report");
    let deliveries = &report["deliveries"];
    assert_eq!(deliveries["delivered"], 2 * EVENTS, "{report}");
    assert_eq!(deliveries["repeated"], 0, "{report}");
    assert_eq!(report["positions"]["outOfOrder"], 0, "{report}");
    assert_eq!(report["positions"]["reportedLost"], 0, "{report}");
    let seconds = deliveries["seconds"].as_f64().expect("seconds");
    assert!(seconds > 9.0, "the limit was not the limit: {report}");
    assert!(stack.running.dynamodb().throttled_writes() > 0);
    assert!(age > Duration::from_secs(1), "{age:?}");
    let wasted = last_offset(&stack).await - EVENTS;
    println!(
        "{EVENTS} events in {seconds:.1} s, {wasted} offsets wasted, oldest message {age:.1?}, {}",
        report["positions"]
    );
    assert!(wasted <= EVENTS / 20, "{wasted}");
    stack.stop().await;
}

/// Returns the last offset of the only log.
async fn last_offset(stack: &TestStack) -> u64 {
    let table = &stack.running.addresses().tables["HistoryTable"];
    let scan = aws_sdk_dynamodb::Client::new(&stack.aws())
        .scan()
        .table_name(table)
        .filter_expression("sk = :head")
        .expression_attribute_values(":head", AttributeValue::S("H".to_owned()));
    let heads = scan.send().await.expect("the table").items.expect("heads");
    let [head] = &heads[..] else {
        panic!("{heads:?}");
    };
    let top = head["top"].as_n().expect("a number");
    top.parse().expect("a number")
}

/// Returns the greatest age of a message on the notification queue, which is
/// `ApproximateAgeOfOldestMessage` on AWS, from the first message until the queue is empty.
async fn greatest_age(stack: &TestStack) -> Duration {
    let queues = stack.running.queues();
    let queue = queues
        .with_name("herald-local-NotificationQueue")
        .expect("a queue");
    let mut greatest = Duration::ZERO;
    while queues.ever_sent(queue) < EVENTS || !queues.oldest(queue, 1).is_empty() {
        for message in queues.oldest(queue, 1) {
            let age = message.sent_at.elapsed().unwrap_or_default();
            greatest = greatest.max(age);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    greatest
}
