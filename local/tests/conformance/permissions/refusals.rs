//! Tests of refused calls beyond a function's policies, with the AWS SDK.

use std::collections::HashMap;

use aws_sdk_apigatewaymanagement::primitives::Blob;
use aws_sdk_dynamodb::{
    config::Credentials,
    error::ProvideErrorMetadata,
    types::{AttributeValue, Put, PutRequest, TransactWriteItem, WriteRequest},
};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_sqs::{config::ProvideCredentials, types::SendMessageBatchRequestEntry};
use herald_local::iam::Revoked;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};

use super::harness::{TEMPLATE, TestStack, USER, refusal, refused};

const UNKNOWN: &str = "PcQeDRO4gIEm4LQ=";

/// See docs/local-vs-aws.md: "Permissions are checked in part".
#[tokio::test]
async fn dynamodb_refuses_actions_not_granted_on_table_or_index() {
    let stack = TestStack::start().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&stack.of_function);
    let query = |table: &str, index: Option<&str>| {
        dynamodb
            .query()
            .table_name(stack.table(table))
            .set_index_name(index.map(str::to_owned))
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S("a".to_owned()))
            .send()
    };
    query("Rows", None).await.unwrap();
    query("Others", Some("again")).await.unwrap();

    let on_another_table = query("Others", None).await.unwrap_err();
    assert_eq!(
        refusal(&on_another_table),
        refused(
            400,
            "dynamodb:Query",
            "dynamodb",
            "table/herald-local-Others"
        )
    );
    let on_an_index = query("Rows", Some("again")).await.unwrap_err();
    assert_eq!(
        refusal(&on_an_index),
        refused(
            400,
            "dynamodb:Query",
            "dynamodb",
            "table/herald-local-Rows/index/again"
        )
    );
    let scan = dynamodb.scan().table_name(stack.table("Rows"));
    assert_eq!(
        refusal(&scan.send().await.unwrap_err()),
        refused(400, "dynamodb:Scan", "dynamodb", "table/herald-local-Rows")
    );
    stack.stop().await;
}

#[tokio::test]
async fn batch_or_transaction_needs_permissions_on_every_table() {
    let stack = TestStack::start().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&stack.of_function);
    let batch = |tables: &[&str]| {
        let put = PutRequest::builder().set_item(Some(row())).build().unwrap();
        let write = WriteRequest::builder().put_request(put).build();
        let writes = tables
            .iter()
            .map(|table| (stack.table(table), vec![write.clone()]));
        dynamodb
            .batch_write_item()
            .set_request_items(Some(writes.collect()))
            .send()
    };
    batch(&["Rows"]).await.unwrap();
    assert_eq!(
        refusal(&batch(&["Rows", "Others"]).await.unwrap_err()),
        refused(
            400,
            "dynamodb:BatchWriteItem",
            "dynamodb",
            "table/herald-local-Others"
        )
    );

    let transaction = |tables: &[&str]| {
        let items = tables.iter().map(|table| {
            let put = Put::builder()
                .table_name(stack.table(table))
                .set_item(Some(row()));
            TransactWriteItem::builder()
                .put(put.build().unwrap())
                .build()
        });
        dynamodb
            .transact_write_items()
            .set_transact_items(Some(items.collect()))
            .send()
    };
    transaction(&["Rows"]).await.unwrap();
    assert_eq!(
        refusal(&transaction(&["Rows", "Others"]).await.unwrap_err()),
        refused(
            400,
            "dynamodb:PutItem",
            "dynamodb",
            "table/herald-local-Others"
        )
    );
    stack.stop().await;
}

#[tokio::test]
async fn deny_overrides_allow() {
    let stack = TestStack::start().await;
    let delete = aws_sdk_dynamodb::Client::new(&stack.of_function)
        .delete_item()
        .table_name(stack.table("Rows"))
        .key("pk", AttributeValue::S("a".to_owned()));
    let (status, code, message) = refusal(&delete.send().await.unwrap_err());
    assert_eq!((status, code.as_str()), (400, "AccessDeniedException"));
    let end = "table/herald-local-Rows with an explicit deny in an identity-based policy";
    assert!(message.ends_with(end), "{message}");
    stack.stop().await;
}

#[tokio::test]
async fn sqs_refuses_actions_not_granted_on_the_queue() {
    let stack = TestStack::start().await;
    let sqs = aws_sdk_sqs::Client::new(&stack.of_function);
    let send = |queue: &str| {
        let entry = SendMessageBatchRequestEntry::builder().id("1");
        sqs.send_message_batch()
            .queue_url(&stack.running.addresses().queues[queue])
            .entries(entry.message_body("hello").build().unwrap())
            .send()
    };
    // A batch needs the permission `sqs:SendMessage`.
    send("Queue").await.unwrap();
    let denied = send("OtherQueue").await.unwrap_err();
    let (_, _, message) = refused(403, "sqs:sendmessage", "sqs", "herald-local-OtherQueue");
    // The SDK reads the code in the header of the older protocol.
    assert_eq!(refusal(&denied), (403, "AccessDenied".to_owned(), message));
    let headers = denied.raw_response().unwrap().headers();
    assert_eq!(
        headers.get("x-amzn-query-error"),
        Some("AccessDenied;Sender")
    );

    let receive = sqs
        .receive_message()
        .queue_url(&stack.running.addresses().queues["Queue"]);
    let denied = receive.send().await.unwrap_err();
    assert_eq!(denied.code(), Some("AccessDenied"));
    stack.stop().await;
}

#[tokio::test]
async fn eventbridge_refuses_actions_not_granted_on_the_bus() {
    let stack = TestStack::start().await;
    let events = aws_sdk_eventbridge::Client::new(&stack.of_function);
    let put = |bus: Option<&str>| {
        let entry = PutEventsRequestEntry::builder()
            .source("test")
            .detail_type("test")
            .detail("{}")
            .set_event_bus_name(bus.map(str::to_owned));
        events.put_events().entries(entry.build()).send()
    };
    put(Some("orders")).await.unwrap();
    assert_eq!(
        refusal(&put(None).await.unwrap_err()),
        refused(400, "events:PutEvents", "events", "event-bus/default")
    );
    stack.stop().await;
}

#[tokio::test]
async fn management_api_refuses_methods_that_are_not_granted() {
    let stack = TestStack::start().await;
    let config = aws_sdk_apigatewaymanagement::config::Builder::from(&stack.of_function)
        .endpoint_url(format!("{}/dev", stack.running.addresses().endpoint));
    let management = aws_sdk_apigatewaymanagement::Client::from_conf(config.build());
    let post = management
        .post_to_connection()
        .connection_id(UNKNOWN)
        .data(Blob::new("hello"));
    let gone = post.send().await.unwrap_err().into_service_error();
    assert!(gone.is_gone_exception(), "{gone:?}");

    let delete = management.delete_connection().connection_id(UNKNOWN);
    let denied = delete.send().await.unwrap_err();
    let api = &stack.running.stack().web_socket_api.api_id;
    let message = format!(
        "User: {USER} is not authorized to perform: execute-api:ManageConnections on resource: \
         arn:aws:execute-api:us-east-1:123456789012:{api}/dev/DELETE/@connections/{{connectionId}}"
    );
    assert_eq!(
        refusal(&denied),
        (403, "AccessDeniedException".to_owned(), message)
    );
    stack.stop().await;
}

#[tokio::test]
async fn secrets_manager_refuses_secrets_that_are_not_granted() {
    let stack = TestStack::start().await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let provider = stack.of_function.credentials_provider().unwrap();
    let credentials = provider.provide_credentials();
    let access_key_id = credentials.await.unwrap().access_key_id().to_owned();
    let request = hyper::Request::post(&stack.running.addresses().endpoint)
        .header("x-amz-target", "secretsmanager.GetSecretValue")
        .header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={access_key_id}/20261120/us-east-1/secretsmanager/aws4_request"),
        )
        .body(r#"{"SecretId":"arn:aws:secretsmanager:us-east-1:123456789012:secret:s"}"#.into())
        .unwrap();
    let response = client.request(request).await.unwrap();
    assert_eq!(response.status(), 400);
    let body = response.into_body().collect().await;
    let body: Value = serde_json::from_slice(&body.unwrap().to_bytes()).unwrap();
    let (_, code, message) = refused(
        400,
        "secretsmanager:GetSecretValue",
        "secretsmanager",
        "secret:s",
    );
    assert_eq!(body, json!({"__type": code, "Message": message}));
    stack.stop().await;
}

#[tokio::test]
async fn other_credentials_have_all_permissions() {
    let stack = TestStack::start().await;
    let owner = stack.config(Credentials::for_tests());
    let scan = aws_sdk_dynamodb::Client::new(&owner)
        .scan()
        .table_name(stack.table("Rows"));
    scan.send().await.unwrap();
    assert_eq!(*stack.running.refused().borrow(), None);
    stack.stop().await;
}

#[tokio::test]
async fn revoked_permission_is_refused_and_reported() {
    let revoked = Revoked {
        function: "Caller".to_owned(),
        action: "events:PutEvents".to_owned(),
        resource: None,
    };
    let stack = TestStack::start_without(vec![revoked]).await;
    let entry = PutEventsRequestEntry::builder()
        .source("test")
        .event_bus_name("orders");
    let put = aws_sdk_eventbridge::Client::new(&stack.of_function)
        .put_events()
        .entries(entry.build());
    let denied = put.send().await.unwrap_err();
    assert_eq!(denied.code(), Some("AccessDeniedException"));
    let reported = stack.running.refused().borrow().clone().unwrap();
    assert_eq!(reported.function, "Caller");
    assert_eq!(reported.action, "events:PutEvents");
    assert_eq!(denied.message(), Some(reported.to_string().as_str()));
    stack.stop().await;
}

/// Lambda polls a queue with the function's role, and refuses a mapping without that permission.
#[tokio::test]
async fn mapping_of_a_queue_that_its_function_may_not_receive_is_refused() {
    let mapping = "
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: { EventSourceArn: !GetAtt Queue.Arn, FunctionName: !Ref Caller }
";
    let error = TestStack::try_start(&format!("{TEMPLATE}{mapping}"), vec![]).await;
    assert_eq!(
        error.err().unwrap().to_string(),
        "Lambda polls arn:aws:sqs:us-east-1:123456789012:herald-local-Queue with the role of Caller, \
         which does not allow sqs:ReceiveMessage: grant it in the function's Policies"
    );
}

fn row() -> HashMap<String, AttributeValue> {
    [("pk".to_owned(), AttributeValue::S("a".to_owned()))].into()
}
