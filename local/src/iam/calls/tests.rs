//! The calls that operations of each service need.

use serde_json::{Value, json};

use crate::iam::account::Account;

#[test]
fn dynamodb_operation_needs_its_action_on_the_tables_it_names() {
    for (operation, request, expected) in [
        (
            "PutItem",
            json!({"TableName": "T", "Item": {}}),
            &["dynamodb:PutItem arn:aws:dynamodb::table/T"][..],
        ),
        (
            "GetItem",
            json!({"TableName": "arn:aws:dynamodb:x:1:table/T"}),
            &["dynamodb:GetItem arn:aws:dynamodb:x:1:table/T"],
        ),
        (
            "Query",
            json!({"TableName": "T"}),
            &["dynamodb:Query arn:aws:dynamodb::table/T"],
        ),
        (
            "Query",
            json!({"TableName": "T", "IndexName": "I"}),
            &["dynamodb:Query arn:aws:dynamodb::table/T/index/I"],
        ),
        (
            "BatchWriteItem",
            json!({"RequestItems": {"A": [], "B": []}}),
            &[
                "dynamodb:BatchWriteItem arn:aws:dynamodb::table/A",
                "dynamodb:BatchWriteItem arn:aws:dynamodb::table/B",
            ],
        ),
        (
            "TransactWriteItems",
            json!({"TransactItems": [
                {"Put": {"TableName": "A"}},
                {"Update": {"TableName": "B"}},
                {"Delete": {"TableName": "A"}},
                {"ConditionCheck": {"TableName": "C"}},
            ]}),
            &[
                "dynamodb:PutItem arn:aws:dynamodb::table/A",
                "dynamodb:UpdateItem arn:aws:dynamodb::table/B",
                "dynamodb:DeleteItem arn:aws:dynamodb::table/A",
                "dynamodb:ConditionCheckItem arn:aws:dynamodb::table/C",
            ],
        ),
        (
            "TransactGetItems",
            json!({"TransactItems": [{"Get": {"TableName": "A"}}]}),
            &["dynamodb:GetItem arn:aws:dynamodb::table/A"],
        ),
        ("ListTables", json!({}), &["dynamodb:ListTables *"]),
        (
            "ExecuteStatement",
            json!({"Statement": "update \"T\" SET a = 1"}),
            &["dynamodb:PartiQLUpdate *"],
        ),
        (
            "BatchExecuteStatement",
            json!({"Statements": [{"Statement": "SELECT * FROM T"}]}),
            &["dynamodb:PartiQLSelect *"],
        ),
    ] {
        check("DynamoDB_20120810", operation, request, expected);
    }
}

#[test]
fn eventbridge_operation_needs_its_action_on_the_buses_and_rules_it_names() {
    for (operation, request, expected) in [
        (
            "PutEvents",
            json!({"Entries": [
                {"Source": "a"},
                {"EventBusName": "orders"},
                {"EventBusName": "arn:aws:events:x:1:event-bus/other"},
            ]}),
            &[
                "events:PutEvents arn:aws:events::event-bus/default",
                "events:PutEvents arn:aws:events::event-bus/orders",
                "events:PutEvents arn:aws:events:x:1:event-bus/other",
            ][..],
        ),
        (
            "DescribeRule",
            json!({"Name": "R"}),
            &["events:DescribeRule arn:aws:events::rule/R"],
        ),
        (
            "ListTargetsByRule",
            json!({"Rule": "R", "EventBusName": "orders"}),
            &["events:ListTargetsByRule arn:aws:events::rule/orders/R"],
        ),
        ("ListRules", json!({}), &["events:ListRules *"]),
    ] {
        check("AWSEvents", operation, request, expected);
    }
}

#[test]
fn secrets_manager_operation_needs_its_action_on_the_secret_it_names() {
    let arn = "arn:aws:secretsmanager:x:1:secret:token-AbCdEf";
    check(
        "secretsmanager",
        "GetSecretValue",
        json!({ "SecretId": arn }),
        &[&format!("secretsmanager:GetSecretValue {arn}")],
    );
}

#[test]
fn sqs_operation_needs_its_action_on_the_queue_it_names() {
    let queue = json!({"QueueUrl": "http://127.0.0.1:3030/123456789012/Q"});
    for (operation, request, expected) in [
        (
            "SendMessage",
            queue.clone(),
            &["sqs:sendmessage arn:aws:sqs::Q"][..],
        ),
        (
            "SendMessageBatch",
            queue.clone(),
            &["sqs:sendmessage arn:aws:sqs::Q"],
        ),
        (
            "ChangeMessageVisibilityBatch",
            queue,
            &["sqs:changemessagevisibility arn:aws:sqs::Q"],
        ),
        (
            "GetQueueUrl",
            json!({"QueueName": "Q"}),
            &["sqs:getqueueurl arn:aws:sqs::Q"],
        ),
        ("ListQueues", json!({}), &["sqs:listqueues *"]),
        (
            "StartMessageMoveTask",
            json!({"SourceArn": "arn:aws:sqs:x:1:D", "DestinationArn": "arn:aws:sqs:x:1:Q"}),
            &[
                "sqs:startmessagemovetask arn:aws:sqs:x:1:D",
                "sqs:receivemessage arn:aws:sqs:x:1:D",
                "sqs:deletemessage arn:aws:sqs:x:1:D",
                "sqs:getqueueattributes arn:aws:sqs:x:1:D",
                "sqs:sendmessage arn:aws:sqs:x:1:Q",
            ],
        ),
    ] {
        check("AmazonSQS", operation, request, expected);
    }
}

#[test]
fn unknown_service_needs_the_action_on_every_resource() {
    check("Kms", "Decrypt", json!({}), &["Kms:Decrypt *"]);
}

/// Checks the calls of a request, each written `action resource`.
fn check(service: &str, operation: &str, request: Value, expected: &[&str]) {
    let account = Account {
        region: "eu-west-1".to_owned(),
        id: "123456789012".to_owned(),
    };
    let calls = super::calls(&account, service, operation, &request);
    let calls: Vec<_> = calls
        .iter()
        .map(|call| {
            let resource = call.resource.replace(":eu-west-1:123456789012:", "::");
            format!("{} {resource}", call.action)
        })
        .collect();
    assert_eq!(calls, expected, "{operation} {request}");
}
