//! Listing of queues, and deleting and replaying of their messages.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::harness::TestStack;
use crate::authentication::harness::Answer;

impl TestStack {
    /// Replays a message and returns the status.
    async fn replay(&self, queue: &str, message_id: &str) -> StatusCode {
        let path = format!("/console/queues/{queue}/messages/{message_id}/replay");
        checked(self.send(Method::POST, &path, &[]).await)
    }

    /// Deletes a message and returns the status.
    async fn delete(&self, queue: &str, message_id: &str) -> StatusCode {
        let path = format!("/console/queues/{queue}/messages/{message_id}");
        checked(self.send(Method::DELETE, &path, &[]).await)
    }
}

/// Checks that a refusal has a message, and returns the status.
fn checked(answer: Answer) -> StatusCode {
    if answer.status != StatusCode::NO_CONTENT {
        assert!(!answer.message().is_empty());
    }
    answer.status
}

#[tokio::test]
async fn listing_a_queue_receives_no_message() {
    let stack = TestStack::start().await;
    let url = &stack.running.addresses().queues["Dead"];
    let input = json!({
        "QueueUrl": url,
        "MessageBody": "a",
        "MessageAttributes": {
            "Reason": {"DataType": "String", "StringValue": "too late"},
            "blob": {"DataType": "Binary", "BinaryValue": "AP8="},
        },
    });
    let sent = stack.call("AmazonSQS.SendMessage", input).await;
    for _ in 0..2 {
        let mut queue = stack.queue("Dead").await;
        let sent_at = queue["messages"][0]["sentAt"].take();
        assert!(sent_at.as_f64().unwrap() > 0.0);
        assert_eq!(
            queue,
            json!({
                "logicalId": "Dead",
                "name": "herald-local-Dead",
                "url": url,
                "deadLetterQueueOf": ["Work"],
                "visible": 1,
                "inFlight": 0,
                "delayed": 0,
                "messages": [{
                    "messageId": sent["MessageId"],
                    "body": "a",
                    "attributes": {"Reason": "too late", "blob": "AP8="},
                    "state": "visible",
                    "sentAt": null,
                    "receiveCount": 0,
                }],
            })
        );
    }
}

#[tokio::test]
async fn message_is_visible_in_flight_or_delayed() {
    let stack = TestStack::start().await;
    stack.send_message("Dead", "received").await;
    stack.receive("Dead").await;
    stack.send_message("Dead", "waiting").await;
    let url = &stack.running.addresses().queues["Dead"];
    let delayed = json!({"QueueUrl": url, "MessageBody": "delayed", "DelaySeconds": 900});
    stack.call("AmazonSQS.SendMessage", delayed).await;
    let queue = stack.queue("Dead").await;
    let messages = queue["messages"].as_array().unwrap().iter();
    let states: Vec<_> = messages
        .map(|message| json!([message["body"], message["state"], message["receiveCount"]]))
        .collect();
    assert_eq!(
        states,
        [
            json!(["received", "inFlight", 1]),
            json!(["waiting", "visible", 0]),
            json!(["delayed", "delayed", 0]),
        ]
    );
    for count in ["visible", "inFlight", "delayed"] {
        assert_eq!(queue[count], 1, "{count}");
    }
}

#[tokio::test]
async fn oldest_hundred_messages_of_a_long_queue_are_listed() {
    let stack = TestStack::start().await;
    for number in 0..105 {
        stack.send_message("Dead", &number.to_string()).await;
    }
    let queue = stack.queue("Dead").await;
    assert_eq!(queue["visible"], 105);
    let messages = queue["messages"].as_array().unwrap().iter();
    let bodies: Vec<_> = messages.map(|message| message["body"].clone()).collect();
    let expected: Vec<_> = (0..100).map(|number| json!(number.to_string())).collect();
    assert_eq!(bodies, expected);
}

/// Receives a message until it is redriven, and returns its id.
async fn redrive(stack: &TestStack, body: &str) -> String {
    let id = stack.send_message("Work", body).await;
    let received = stack.receive("Work").await;
    assert_eq!(received["Messages"][0]["MessageId"], id.as_str());
    assert_eq!(stack.receive("Work").await, json!({}));
    id
}

#[tokio::test]
async fn replayed_dead_letter_is_a_new_message_of_its_source_queue() {
    let stack = TestStack::start().await;
    let mut watcher = stack.watch().await;
    let id = redrive(&stack, r#"{"id":"e-1","detail":{}}"#).await;
    assert_eq!(stack.queue("Dead").await["messages"][0]["receiveCount"], 1);
    assert_eq!(stack.replay("Dead", &id).await, StatusCode::NO_CONTENT);
    assert_eq!(stack.queue("Dead").await["messages"], json!([]));
    let message = stack.queue("Work").await["messages"][0].clone();
    assert_eq!(message["receiveCount"], 0);
    assert_ne!(message["messageId"], id.as_str());
    for (queue, cause, message_id) in [
        ("Work", "sent", json!(id)),
        ("Dead", "redriven", json!(id)),
        ("Work", "replayed", message["messageId"].clone()),
    ] {
        let mut queued = watcher.record_of("queued").await;
        let members = queued.as_object_mut().unwrap();
        members.retain(|name, _| name != "number" && name != "at");
        assert_eq!(
            queued,
            json!({
                "kind": "queued",
                "queue": queue,
                "messageId": message_id,
                "eventIds": ["e-1"],
                "delay": 0.0,
                "cause": cause,
            })
        );
    }
    assert_eq!(stack.replay("Dead", &id).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn message_sent_to_a_dead_letter_queue_is_replayed_to_its_source() {
    let stack = TestStack::start().await;
    for queue in ["Dead", "Undelivered"] {
        let shown = stack.queue(queue).await;
        assert_eq!(shown["deadLetterQueueOf"], json!(["Work"]), "{queue}");
        let id = stack.send_message(queue, queue).await;
        assert_eq!(stack.replay(queue, &id).await, StatusCode::NO_CONTENT);
    }
    let messages = stack.queue("Work").await["messages"].clone();
    let bodies: Vec<_> = messages
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["body"])
        .collect();
    assert_eq!(bodies, ["Dead", "Undelivered"]);
}

#[tokio::test]
async fn replay_from_other_than_dead_letter_queue_is_refused() {
    let stack = TestStack::start().await;
    let id = stack.send_message("Work", "a").await;
    assert_eq!(stack.queue("Work").await["deadLetterQueueOf"], json!([]));
    assert_eq!(stack.replay("Work", &id).await, StatusCode::BAD_REQUEST);
    assert_eq!(stack.queue("Work").await["visible"], 1);
    assert_eq!(stack.replay("Other", &id).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn message_in_flight_can_be_neither_replayed_nor_deleted() {
    let stack = TestStack::start().await;
    let id = stack.send_message("Dead", "a").await;
    let received: Value = stack.receive("Dead").await;
    assert_eq!(stack.replay("Dead", &id).await, StatusCode::CONFLICT);
    assert_eq!(stack.delete("Dead", &id).await, StatusCode::CONFLICT);
    let release = json!({
        "QueueUrl": stack.running.addresses().queues["Dead"],
        "ReceiptHandle": received["Messages"][0]["ReceiptHandle"],
        "VisibilityTimeout": 0,
    });
    stack
        .call("AmazonSQS.ChangeMessageVisibility", release)
        .await;
    assert_eq!(stack.delete("Dead", &id).await, StatusCode::NO_CONTENT);
    assert_eq!(stack.delete("Dead", &id).await, StatusCode::NOT_FOUND);
    assert_eq!(stack.queue("Dead").await["messages"], json!([]));
}
