//! `sendMessage` with several messages before a queue that stores some and refuses others.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use axum::{Json, Router, extract::State, routing::post};
use herald_shared::{
    audience::Audience,
    ids::ConnectionId,
    protocol::Outgoing,
    push::Push,
    queue::{EnqueueEach, NotificationQueue},
};
use serde_json::{Value, json, value::RawValue};
use tokio::{net::TcpListener, time::Instant};

use crate::harness::TestStack;

/// The queue's answer to a message, by how often it was sent before.
type Verdict = fn(message: u64, sent_before: usize) -> Said;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Stored,
    /// Refused for a reason of SQS's own, which may pass.
    Unavailable,
    /// Refused for a fault of the sender, which stays.
    Invalid,
}

/// SQS, as far as a sender sees it.
struct Queue {
    endpoint: String,
    state: Arc<Received>,
}

struct Received {
    verdict: Verdict,
    sent: Mutex<BTreeMap<u64, Vec<Said>>>,
}

impl Queue {
    async fn start(verdict: Verdict) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Received {
            verdict,
            sent: Mutex::default(),
        });
        let router = Router::new()
            .route("/", post(send_message_batch))
            .with_state(state.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { endpoint, state }
    }

    /// A stack whose functions send to this queue.
    async fn stack(&self) -> TestStack {
        let stack = TestStack::try_start_with(|config| {
            let name = "AWS_ENDPOINT_URL_SQS".to_owned();
            config.environment.insert(name, self.endpoint.clone());
        });
        stack.await.unwrap()
    }

    /// The answers to a message, one for each time it was sent.
    fn said_to(&self, message: u64) -> Vec<Said> {
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
        let said = (queue.verdict)(message, sent.len());
        sent.push(said);
        let id = &entry["Id"];
        match said {
            Said::Stored => successful.push(json!({"Id": id, "MessageId": "m"})),
            Said::Unavailable => failed.push(json!({
                "Id": id, "SenderFault": false, "Code": "InternalError", "Message": "try again",
            })),
            Said::Invalid => failed.push(json!({
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

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "has a queue of its own")]
async fn entries_that_sqs_refuses_for_a_while_are_sent_again_and_no_others() {
    let queue = Queue::start(|message, sent_before| match message % 3 {
        1 if sent_before == 0 => Said::Unavailable,
        2 if sent_before < 4 => Said::Unavailable,
        _ => Said::Stored,
    })
    .await;
    let stack = queue.stack().await;
    let reply = send(&stack).await;
    assert_eq!(reply["type"], "ack", "{reply:#}");
    assert_eq!(reply["eventIds"].as_array().unwrap().len(), 25);
    for message in 0..25 {
        let said = queue.said_to(message);
        assert_eq!(said.len(), [1, 2, 5][message as usize % 3], "{message}");
        let stored = said.iter().filter(|said| **said == Said::Stored);
        assert_eq!(stored.count(), 1, "{message}");
    }
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "has a queue of its own")]
async fn a_client_is_told_which_messages_were_not_sent() {
    let queue = Queue::start(|message, _| match message {
        3 | 17 => Said::Invalid,
        _ => Said::Stored,
    })
    .await;
    let stack = queue.stack().await;
    let mut reply = send(&stack).await;
    let event_ids = reply["eventIds"].take();
    assert_eq!(
        reply,
        json!({
            "type": "error", "action": "sendMessage", "id": "7", "code": "partly_sent",
            "message": "2 of 25 messages were not sent: send those again whose entry in eventIds is null",
            "retryable": false, "eventIds": null,
        })
    );
    let event_ids = event_ids.as_array().unwrap();
    assert_eq!(event_ids.len(), 25);
    for (message, event_id) in event_ids.iter().enumerate() {
        assert_eq!(event_id.is_null(), matches!(message, 3 | 17), "{message}");
        // What SQS refuses for good is not sent again.
        assert_eq!(queue.said_to(message as u64).len(), 1);
    }
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "has a queue of its own")]
async fn a_frame_of_which_nothing_was_sent_may_be_sent_again_as_it_is() {
    let queue = Queue::start(|_, _| Said::Invalid).await;
    let stack = queue.stack().await;
    let reply = send(&stack).await;
    assert_eq!(reply["code"], "internal", "{reply}");
    assert_eq!(reply["retryable"], true);
    assert_eq!(reply.get("eventIds"), None);
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "needs no stack")]
async fn what_sqs_does_not_store_in_time_is_not_stored() {
    let queue = Queue::start(|message, _| match message {
        1 => Said::Unavailable,
        _ => Said::Stored,
    })
    .await;
    let aws = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .endpoint_url(&queue.endpoint)
        .build();
    let queue_url = format!("{}/1/queue", queue.endpoint);
    let notifications = NotificationQueue::new(aws_sdk_sqs::Client::new(&aws), queue_url);
    let pushes: Vec<_> = (0..3).map(push).collect();
    let until = Instant::now() + Duration::from_secs(2);
    let enqueued = notifications.enqueue_each(&pushes, until).await;
    assert_eq!(enqueued.stored, [true, false, true]);
    let failure = enqueued.failure.unwrap();
    assert!(failure.is_transient(), "{failure:?}");
    assert!(queue.said_to(1).len() > 1);
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
