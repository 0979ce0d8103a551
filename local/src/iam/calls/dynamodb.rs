//! DynamoDB. Batches are an action of their own, transactions are not; an index is a resource beside
//! its table. The tables of PartiQL statements are not read.
//!
//! Sources: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_dynamodb.html>,
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html>

use serde_json::Value;

use super::{ANY, Account, Call, list};

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
            let items = list(request, "TransactItems").iter();
            let parts = items.filter_map(Value::as_object).flatten();
            parts
                .map(|(part, item)| call(action_of(part), resource(account, item)))
                .collect()
        }
        "ExecuteStatement" => vec![call(statement_action(request), ANY.to_owned())],
        "BatchExecuteStatement" | "ExecuteTransaction" => {
            let statements = ["Statements", "TransactStatements"].into_iter();
            statements
                .flat_map(|name| list(request, name))
                .map(|statement| call(statement_action(statement), ANY.to_owned()))
                .collect()
        }
        _ => vec![call(operation, resource(account, request))],
    }
}

/// The action that a part of a transaction needs.
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

/// What a request names: a table, an index of it, or something else by its ARN.
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::check;

    #[test]
    fn an_operation_needs_its_action_on_the_tables_it_names() {
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
}
