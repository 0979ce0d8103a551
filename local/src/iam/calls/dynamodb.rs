//! The calls of DynamoDB. Batches are actions of their own, transactions are not; an index is a
//! resource beside its table. The tables of PartiQL statements are not parsed.
//!
//! Sources: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_dynamodb.html>,
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html>

use serde_json::Value;

use crate::iam::{
    account::Account,
    call::{ANY, Call},
};

pub(super) fn calls(account: &Account, operation: &str, request: &Value) -> Vec<Call> {
    let call = |action: &str, resource: String| Call::new(format!("dynamodb:{action}"), resource);
    match operation {
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = request["RequestItems"].as_object().into_iter().flatten();
            tables
                .map(|(name, _)| call(operation, table(account, name)))
                .collect()
        }
        "TransactGetItems" | "TransactWriteItems" => {
            let items = request["TransactItems"].as_array().into_iter().flatten();
            let parts = items.filter_map(Value::as_object).flatten();
            parts
                .map(|(part, item)| call(action_of(part), resource(account, item)))
                .collect()
        }
        "ExecuteStatement" => vec![call(statement_action(request), ANY.to_owned())],
        "BatchExecuteStatement" | "ExecuteTransaction" => {
            let statements = ["Statements", "TransactStatements"].into_iter();
            statements
                .filter_map(|name| request[name].as_array())
                .flatten()
                .map(|statement| call(statement_action(statement), ANY.to_owned()))
                .collect()
        }
        _ => vec![call(operation, resource(account, request))],
    }
}

/// Returns the action that a part of a transaction needs.
fn action_of(part: &str) -> &str {
    match part {
        "Get" => "GetItem",
        "Put" => "PutItem",
        "Update" => "UpdateItem",
        "Delete" => "DeleteItem",
        "ConditionCheck" => "ConditionCheckItem",
        other => other,
    }
}

fn statement_action(statement: &Value) -> &'static str {
    let text = statement["Statement"].as_str().unwrap_or_default();
    let verb = text.split_whitespace().next().unwrap_or_default();
    match verb.to_lowercase().as_str() {
        "insert" => "PartiQLInsert",
        "update" => "PartiQLUpdate",
        "delete" => "PartiQLDelete",
        _ => "PartiQLSelect",
    }
}

/// Returns the resource that a request names: a table, an index, or another resource by its ARN.
fn resource(account: &Account, request: &Value) -> String {
    let text = |name: &str| request[name].as_str();
    if let Some(arn) = text("StreamArn").or(text("ResourceArn")) {
        return arn.to_owned();
    }
    match (text("TableName"), text("IndexName")) {
        (Some(name), Some(index)) => format!("{}/index/{index}", table(account, name)),
        (Some(name), None) => table(account, name),
        (None, _) => ANY.to_owned(),
    }
}

fn table(account: &Account, name_or_arn: &str) -> String {
    account.arn_or(name_or_arn, |name| {
        account.arn("dynamodb", &format!("table/{name}"))
    })
}
