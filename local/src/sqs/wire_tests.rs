//! Tests of the operations with the AWS SDK over a socket.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aws_sdk_sqs::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    error::ProvideErrorMetadata,
    primitives::Blob,
    types::{
        DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
        QueueAttributeName, SendMessageBatchRequestEntry,
    },
};
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    MessageAttribute, Queues, call,
    testing::{dead_letter_queue, queue, queue_with_dead_letters},
};
use crate::activity::Activity;

/// A client and its queues.
struct Harness {
    client: Client,
    queues: Arc<Queues>,
    work: String,
    dead: String,
}

async fn start() -> Harness {
    let definitions = [queue_with_dead_letters(1), dead_letter_queue()];
    let queues =
        Arc::new(Queues::new(&definitions, Activity::default()).expect("valid definitions"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let router = Router::new()
        .fallback(serve)
        .with_state(Arc::clone(&queues));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .endpoint_url(&endpoint)
        .build();
    Harness {
        client: Client::from_conf(config),
        queues,
        work: format!("{endpoint}/000000000000/work"),
        dead: format!("{endpoint}/000000000000/dead"),
    }
}

/// Serves the part of the HTTP endpoint that the SDK needs.
async fn serve(State(queues): State<Arc<Queues>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers["x-amz-target"].to_str().expect("a name");
    let operation = target.strip_prefix("AmazonSQS.").expect("an SQS operation");
    let request = serde_json::from_slice(&body).expect("JSON");
    match call(&queues, operation, request).await {
        Ok(output) => output.to_string().into_response(),
        Err(error) => (
            StatusCode::from_u16(error.status).expect("a status"),
            [("x-amzn-query-error", error.query_code.unwrap_or_default())],
            json!({ "__type": error.code, "message": error.message }).to_string(),
        )
            .into_response(),
    }
}

impl Harness {
    async fn send(&self, body: &str) {
        let request = self
            .client
            .send_message()
            .queue_url(&self.work)
            .message_body(body);
        request.send().await.expect("sent");
    }

    async fn receive(&self, url: &str) -> Vec<Message> {
        let request = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10);
        request
            .send()
            .await
            .expect("received")
            .messages
            .unwrap_or_default()
    }
}

fn text_attribute(value: &str) -> MessageAttributeValue {
    let builder = MessageAttributeValue::builder().data_type("String");
    builder.string_value(value).build().expect("a data type")
}

#[tokio::test]
async fn message_is_received_with_its_attributes_and_md5_sums() {
    let harness = start().await;
    let binary = MessageAttributeValue::builder().data_type("Binary.png");
    let binary = binary
        .binary_value(Blob::new([0, 255]))
        .build()
        .expect("a data type");
    let sent = harness
        .client
        .send_message()
        .queue_url(&harness.work)
        .message_body("hello")
        .message_attributes("trace.id", text_attribute("t-1"))
        .message_attributes("trace.span", text_attribute("s-1"))
        .message_attributes("blob", binary.clone())
        .send()
        .await
        .expect("sent");
    assert_eq!(
        sent.md5_of_message_body(),
        Some("5d41402abc4b2a76b9719d911017c592")
    );

    let receive = harness.client.receive_message().queue_url(&harness.work);
    let received = receive
        .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
        .message_attribute_names("All")
        .send()
        .await
        .expect("received");
    let [message] = received.messages() else {
        panic!("expected one message, got {received:?}");
    };
    assert_eq!(message.body(), Some("hello"));
    assert_eq!(message.message_id(), sent.message_id());
    assert_eq!(message.md5_of_body(), sent.md5_of_message_body());
    assert_eq!(
        message.md5_of_message_attributes(),
        sent.md5_of_message_attributes()
    );
    let attributes = message.message_attributes().expect("attributes");
    assert_eq!(attributes.len(), 3);
    assert_eq!(attributes["blob"], binary);
    let system_attributes = message.attributes().expect("system attributes");
    assert_eq!(system_attributes.len(), 1);
    assert_eq!(
        system_attributes[&MessageSystemAttributeName::ApproximateReceiveCount],
        "1"
    );
}

#[tokio::test]
async fn only_requested_attributes_are_returned() {
    let queues = Queues::new(&[queue()], Activity::default()).expect("a valid definition");
    let attributes =
        ["trace.id", "other"].map(|name| (name.to_owned(), MessageAttribute::string("x")));
    queues
        .send(
            &queue().arn,
            "b".to_owned(),
            BTreeMap::from(attributes),
            None,
        )
        .expect("sent");
    for (wanted, expected) in [
        (vec![], vec![]),
        (vec!["trace.*"], vec!["trace.id"]),
        (vec!["other"], vec!["other"]),
        (vec![".*"], vec!["other", "trace.id"]),
    ] {
        let request = json!({
            "QueueUrl": queue().url,
            "VisibilityTimeout": 0,
            "MessageAttributeNames": wanted,
        });
        let answer = call(&queues, "ReceiveMessage", request)
            .await
            .expect("received");
        let message = &answer["Messages"][0];
        assert!(message.get("Attributes").is_none());
        let names = message["MessageAttributes"]
            .as_object()
            .into_iter()
            .flatten();
        assert_eq!(
            names.map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            expected
        );
        assert_eq!(
            message["MD5OfMessageAttributes"].is_string(),
            !expected.is_empty()
        );
    }
}

#[tokio::test]
async fn long_poll_receives_a_message_sent_meanwhile() {
    let harness = start().await;
    let receive = harness.client.receive_message().queue_url(&harness.work);
    let (received, ()) = tokio::join!(receive.wait_time_seconds(20).send(), harness.send("hello"));
    assert_eq!(received.expect("received").messages().len(), 1);
}

#[tokio::test]
async fn batch_entry_succeeds_or_fails_alone() {
    let harness = start().await;
    let entry = |id: &str, body: &str| {
        let builder = SendMessageBatchRequestEntry::builder().id(id);
        builder.message_body(body).build().expect("an entry")
    };
    let send = harness.client.send_message_batch().queue_url(&harness.work);
    let sent = send
        .entries(entry("good", "a"))
        .entries(entry("bad", "\u{1}"))
        .send()
        .await
        .expect("a batch");
    assert_eq!(sent.successful()[0].id(), "good");
    assert_eq!(sent.failed()[0].id(), "bad");
    assert_eq!(sent.failed()[0].code(), "InvalidMessageContents");
    assert!(sent.failed()[0].sender_fault());

    let received = harness.receive(&harness.work).await;
    let delete = |id: &str, handle: &str| {
        let builder = DeleteMessageBatchRequestEntry::builder().id(id);
        builder.receipt_handle(handle).build().expect("an entry")
    };
    let handle = received[0].receipt_handle().expect("a handle");
    let deleted = harness
        .client
        .delete_message_batch()
        .queue_url(&harness.work);
    let deleted = deleted
        .entries(delete("good", handle))
        .entries(delete("bad", "bogus"))
        .send()
        .await
        .expect("a batch");
    assert_eq!(deleted.successful()[0].id(), "good");
    assert_eq!(deleted.failed()[0].code(), "ReceiptHandleIsInvalid");
    assert_eq!(
        harness
            .queues
            .messages(harness.queues.with_name("work").expect("work"))
            .len(),
        0
    );
}

#[tokio::test]
async fn batch_larger_than_1_mib_is_refused() {
    let harness = start().await;
    let entry = |id: &str, size: usize| {
        let builder = SendMessageBatchRequestEntry::builder().id(id);
        builder
            .message_body("x".repeat(size))
            .build()
            .expect("an entry")
    };
    let half = 1 << 19;
    let send = |second: usize| {
        let batch = harness.client.send_message_batch().queue_url(&harness.work);
        batch
            .entries(entry("a", half))
            .entries(entry("b", second))
            .send()
    };
    assert!(send(half).await.is_ok());
    let error = send(half + 1)
        .await
        .expect_err("too long")
        .into_service_error();
    assert!(error.is_batch_request_too_long(), "{error:?}");
}

#[tokio::test]
async fn errors_are_recognised_by_the_sdk() {
    let harness = start().await;
    let client = &harness.client;
    let unknown = format!("{}-not", harness.work);

    let sent = client
        .send_message()
        .queue_url(&unknown)
        .message_body("a")
        .send()
        .await;
    let error = sent.expect_err("an unknown queue").into_service_error();
    assert!(error.is_queue_does_not_exist(), "{error:?}");

    let sent = client
        .send_message()
        .queue_url(&harness.work)
        .message_body("\u{ffff}")
        .send()
        .await;
    let error = sent.expect_err("forbidden").into_service_error();
    assert!(error.is_invalid_message_contents(), "{error:?}");

    let delete = client
        .delete_message()
        .queue_url(&harness.work)
        .receipt_handle("bogus");
    let error = delete.send().await.expect_err("bogus").into_service_error();
    assert!(error.is_receipt_handle_is_invalid(), "{error:?}");

    let batch = client
        .send_message_batch()
        .queue_url(&harness.work)
        .set_entries(Some(vec![]));
    let error = batch.send().await.expect_err("empty").into_service_error();
    assert!(error.is_empty_batch_request(), "{error:?}");

    let receive = client
        .receive_message()
        .queue_url(&harness.work)
        .max_number_of_messages(11);
    let error = receive
        .send()
        .await
        .expect_err("eleven")
        .into_service_error();
    assert_eq!(error.code(), Some("InvalidParameterValue"));

    let create = client.create_queue().queue_name("new").send().await;
    let error = create.expect_err("the template's").into_service_error();
    assert!(error.is_unsupported_operation(), "{error:?}");
    assert!(
        error
            .message()
            .is_some_and(|text| text.contains("it supports ChangeMessage"))
    );
}

#[tokio::test]
async fn queue_operations_return_urls_and_attributes() {
    let harness = start().await;
    let client = &harness.client;
    harness.send("a").await;
    let found = client
        .get_queue_url()
        .queue_name("work")
        .send()
        .await
        .expect("found");
    assert_eq!(found.queue_url(), Some(queue().url.as_str()));
    let listed = client
        .list_queues()
        .queue_name_prefix("w")
        .send()
        .await
        .expect("listed");
    assert_eq!(listed.queue_urls(), [queue().url]);
    let sources = client
        .list_dead_letter_source_queues()
        .queue_url(&harness.dead);
    let sources = sources.send().await.expect("listed");
    assert_eq!(sources.queue_urls(), [queue().url]);

    let attributes = client.get_queue_attributes().queue_url(&harness.work);
    let attributes = attributes
        .attribute_names(QueueAttributeName::All)
        .send()
        .await;
    let attributes = attributes
        .expect("attributes")
        .attributes
        .expect("attributes");
    assert_eq!(attributes[&QueueAttributeName::QueueArn], queue().arn);
    assert_eq!(
        attributes[&QueueAttributeName::ApproximateNumberOfMessages],
        "1"
    );
    assert_eq!(attributes[&QueueAttributeName::VisibilityTimeout], "30");
    let policy = serde_json::from_str::<Value>(&attributes[&QueueAttributeName::RedrivePolicy]);
    assert_eq!(policy.expect("JSON")["maxReceiveCount"], 1);

    client
        .purge_queue()
        .queue_url(&harness.work)
        .send()
        .await
        .expect("purged");
    assert!(harness.receive(&harness.work).await.is_empty());
}

#[tokio::test]
async fn move_task_returns_dead_letters_to_their_source() {
    let harness = start().await;
    let client = &harness.client;
    harness.send("poison").await;
    let first = harness.receive(&harness.work).await;
    harness.queues.clock().advance(Duration::from_secs(30));
    assert!(harness.receive(&harness.work).await.is_empty());

    let start = client
        .start_message_move_task()
        .source_arn(&dead_letter_queue().arn);
    start.send().await.expect("moved");
    let tasks = client
        .list_message_move_tasks()
        .source_arn(&dead_letter_queue().arn);
    let tasks = tasks.send().await.expect("listed");
    assert_eq!(tasks.results()[0].status(), Some("COMPLETED"));
    assert_eq!(tasks.results()[0].approximate_number_of_messages_moved(), 1);
    assert!(harness.receive(&harness.dead).await.is_empty());
    let again = harness.receive(&harness.work).await;
    assert_eq!(again[0].body(), Some("poison"));
    assert_ne!(again[0].message_id(), first[0].message_id());

    let start = client
        .start_message_move_task()
        .source_arn(&queue().arn)
        .send()
        .await;
    assert!(start.is_err(), "work is not a dead-letter queue");
}
