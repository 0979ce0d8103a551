//! `sendMessage` with several messages, against a queue that stores some and refuses others.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::State, routing::post};
use herald_shared::{
    audience::Audience,
    ids::ConnectionId,
    protocol::Outgoing,
    push::Push,
    queue::{EnqueueEach, NotificationQueue},
};
use herald_testkit::{local_only, sdk_config};
use serde_json::{Value, json, value::RawValue};
use tokio::{net::TcpListener, time::Instant};

use crate::harness::TestStack;

/// The queue's answer to a message, by the number of its earlier sends.
type Script = fn(message: u64, sent_before: usize) -> Reply;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reply {
    Stored,
    /// Refused with a transient error of SQS's own.
    Unavailable,
    /// Refused with a permanent error of the sender.
    Invalid,
}

/// A fake of SQS with scripted answers.
struct Queue {
    endpoint: String,
    state: Arc<Received>,
}

struct Received {
    script: Script,
    sent: Mutex<BTreeMap<u64, Vec<Reply>>>,
}

impl Queue {
    async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Received {
            script,
            sent: Mutex::default(),
        });
        let router = Router::new()
            .route("/", post(send_message_batch))
            .with_state(state.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { endpoint, state }
    }

    /// Starts a stack whose functions send to this queue.
    async fn stack(&self) -> TestStack {
        let stack = TestStack::try_start_with(|config| {
            let name = "AWS_ENDPOINT_URL_SQS".to_owned();
            config.environment.insert(name, self.endpoint.clone());
        });
        stack.await.unwrap()
    }

    /// Returns the replies to a message, one for each time it was sent.
    fn replies_to(&self, message: u64) -> Vec<Reply> {
        self.state.sent.lock().unwrap()[&message].clone()
    }
}

async fn send_message_batch(
    State(queue): State<Arc<Received>>,
    body: axum::body::Bytes,
) -> Json<Value> {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in request["Entries"].as_array().unwrap() {
        let push = Push::from_queue_body(entry["MessageBody"].as_str().unwrap()).unwrap();
        let frame: Value = serde_json::from_str(push.frame.get()).unwrap();
        let message = frame["message"].as_u64().unwrap();
        let mut sent = queue.sent.lock().unwrap();
        let sent = sent.entry(message).or_default();
        let reply = (queue.script)(message, sent.len());
        sent.push(reply);
        let id = &entry["Id"];
        match reply {
            Reply::Stored => successful.push(json!({"Id": id, "MessageId": "m"})),
            Reply::Unavailable => failed.push(json!({
                "Id": id, "SenderFault": false, "Code": "InternalError", "Message": "try again",
            })),
            Reply::Invalid => failed.push(json!({
                "Id": id, "SenderFault": true, "Code": "InvalidMessageContents", "Message": "no",
            })),
        }
    }
    Json(json!({"Successful": successful, "Failed": failed}))
}

/// Sends 25 messages, 0 to 24, in one frame.
async fn send(stack: &TestStack) -> Value {
    let messages: Vec<_> = (0..25).map(|message| json!({"message": message})).collect();
    let request = json!({
        "action": "sendMessage", "entityId": "room-1", "messages": messages, "id": "7",
    });
    stack.client().await.ask(request).await
}

#[local_only("needs a scripted queue")]
#[tokio::test]
async fn only_entries_with_a_transient_error_are_sent_again() {
    let queue = Queue::start(|message, sent_before| match message % 3 {
        1 if sent_before == 0 => Reply::Unavailable,
        2 if sent_before < 4 => Reply::Unavailable,
        _ => Reply::Stored,
    })
    .await;
    let stack = queue.stack().await;
    let reply = send(&stack).await;
    assert_eq!(reply["type"], "ack", "{reply:#}");
    assert_eq!(reply["eventIds"].as_array().unwrap().len(), 25);
    for message in 0..25 {
        let replies = queue.replies_to(message);
        assert_eq!(replies.len(), [1, 2, 5][message as usize % 3], "{message}");
        let stored = replies.iter().filter(|reply| **reply == Reply::Stored);
        assert_eq!(stored.count(), 1, "{message}");
    }
    stack.stop().await;
}

#[local_only("needs a scripted queue")]
#[tokio::test]
async fn partly_sent_error_names_the_unsent_messages() {
    let queue = Queue::start(|message, _| match message {
        3 | 17 => Reply::Invalid,
        _ => Reply::Stored,
    })
    .await;
    let stack = queue.stack().await;
    let mut reply = send(&stack).await;
    let event_ids = reply["eventIds"].take();
    assert_eq!(
        reply,
        json!({
            "type": "error", "action": "sendMessage", "id": "7", "code": "partly_sent",
            "message": "2 of 25 messages were not sent: send only those again whose entry in eventIds is null",
            "retryable": false, "eventIds": null,
        })
    );
    let event_ids = event_ids.as_array().unwrap();
    assert_eq!(event_ids.len(), 25);
    for (message, event_id) in event_ids.iter().enumerate() {
        assert_eq!(event_id.is_null(), matches!(message, 3 | 17), "{message}");
        // A message with a permanent error is not sent again.
        assert_eq!(queue.replies_to(message as u64).len(), 1);
    }
    stack.stop().await;
}

#[local_only("needs a scripted queue")]
#[tokio::test]
async fn frame_of_which_nothing_was_sent_is_retryable() {
    let queue = Queue::start(|_, _| Reply::Invalid).await;
    let stack = queue.stack().await;
    let reply = send(&stack).await;
    assert_eq!(reply["code"], "internal", "{reply}");
    assert_eq!(reply["retryable"], true);
    assert_eq!(reply.get("eventIds"), None);
    stack.stop().await;
}

#[local_only("needs no stack")]
#[tokio::test]
async fn message_not_stored_in_time_counts_as_not_stored() {
    let queue = Queue::start(|message, _| match message {
        1 => Reply::Unavailable,
        _ => Reply::Stored,
    })
    .await;
    let aws = sdk_config(&queue.endpoint);
    let queue_url = format!("{}/1/queue", queue.endpoint);
    let notifications = NotificationQueue::new(aws_sdk_sqs::Client::new(&aws), queue_url);
    let pushes: Vec<_> = (0..3).map(push).collect();
    let until = Instant::now() + Duration::from_secs(2);
    let enqueued = notifications.enqueue_each(&pushes, until).await;
    assert_eq!(enqueued.stored, [true, false, true]);
    let failure = enqueued.failure.unwrap();
    assert!(failure.is_transient(), "{failure:?}");
    assert!(queue.replies_to(1).len() > 1);
}

fn push(message: u64) -> Push {
    let message = RawValue::from_string(message.to_string()).unwrap();
    let outgoing = Outgoing {
        message: &message,
        name: None,
    };
    let sender = ConnectionId::new("PcQeDRO4gIEm4LQ=").unwrap();
    Push::message(
        outgoing,
        Audience::Everyone,
        &sender,
        "2026-11-20T10:15:30Z",
    )
    .unwrap()
}
