//! The operations of the embedded engine by name, from JSON to JSON, without a port.
//!
//! The engine's own server would listen on a loopback port, which every web page in a browser on this
//! machine could call.

use dynoxide::{Database, DynoxideError, Result};
use serde::{Serialize, de::DeserializeOwned};

/// The constructor of an error from its message.
type MakeError = fn(String) -> DynoxideError;

/// The prefixes of errors of the engine's deserializers, and the errors that they mean.
const MARKS: [(&str, MakeError); 5] = [
    (
        "SERIALIZATION_AS_READ:",
        DynoxideError::SerializationException,
    ),
    ("SERIALIZATION:", DynoxideError::SerializationException),
    ("VALIDATION_AS_READ:", DynoxideError::ValidationException),
    ("VALIDATION_REQUEST:", DynoxideError::EnvelopedValidation),
    ("VALIDATION:", DynoxideError::ValidationException),
];

macro_rules! call {
    ($database:ident, $operation:ident, $body:ident: $($name:literal => $method:ident,)*) => {
        match $operation {
            $($name => run($body, |request| $database.$method(request)),)*
            _ => return None,
        }
    };
}

/// Runs an operation. Returns `None` if the engine does not support it.
pub(super) fn call(database: &Database, operation: &str, body: &[u8]) -> Option<Result<String>> {
    let answer = call!(database, operation, body:
        "BatchExecuteStatement" => batch_execute_statement,
        "BatchGetItem" => batch_get_item,
        "BatchWriteItem" => batch_write_item,
        "CreateTable" => create_table,
        "DeleteItem" => delete_item,
        "DeleteTable" => delete_table,
        "DescribeStream" => describe_stream,
        "DescribeTable" => describe_table,
        "DescribeTimeToLive" => describe_time_to_live,
        "ExecuteStatement" => execute_statement,
        "ExecuteTransaction" => execute_transaction,
        "GetItem" => get_item,
        "GetRecords" => get_records,
        "GetShardIterator" => get_shard_iterator,
        "ListStreams" => list_streams,
        "ListTables" => list_tables,
        "ListTagsOfResource" => list_tags_of_resource,
        "PutItem" => put_item,
        "Query" => query,
        "Scan" => scan,
        "TagResource" => tag_resource,
        "TransactGetItems" => transact_get_items,
        "TransactWriteItems" => transact_write_items,
        "UntagResource" => untag_resource,
        "UpdateItem" => update_item,
        "UpdateTable" => update_table,
        "UpdateTimeToLive" => update_time_to_live,
    );
    Some(answer.map_err(|error| for_operation(operation, error)))
}

fn run<I: DeserializeOwned, O: Serialize>(
    body: &[u8],
    operation: impl FnOnce(I) -> Result<O>,
) -> Result<String> {
    let request = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let output = operation(request)?;
    serde_json::to_string(&output)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

/// Returns DynamoDB's error for an input that cannot be deserialized: it has no message for text that is
/// not JSON, and treats a missing member as an invalid one.
fn unreadable(error: &serde_json::Error) -> DynoxideError {
    if !error.is_data() {
        return DynoxideError::SerializationException(String::new());
    }
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    for (mark, marked) in MARKS {
        if let Some(message) = text.strip_prefix(mark) {
            return marked(message.to_owned());
        }
    }
    let is_invalid = ["missing field", "unknown variant", "invalid type: null"]
        .iter()
        .chain(&["AttributeValue"])
        .any(|part| text.contains(part));
    if is_invalid {
        DynoxideError::ValidationException(text.to_owned())
    } else {
        DynoxideError::SerializationException(text.to_owned())
    }
}

/// Returns an error in the words of this operation.
fn for_operation(operation: &str, error: DynoxideError) -> DynoxideError {
    match (operation, error) {
        ("PutItem" | "UpdateItem" | "DeleteItem", DynoxideError::EnvelopedValidation(message)) => {
            DynoxideError::ValidationException(format!("1 validation error detected: {message}"))
        }
        (_, DynoxideError::EnvelopedValidation(message)) => {
            DynoxideError::ValidationException(message)
        }
        (
            "ExecuteStatement",
            DynoxideError::ConditionalCheckFailedException(message, Some(item)),
        ) => DynoxideError::StatementConditionalCheckFailed(message, item),
        (_, error) => error,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn database() -> Database {
        let database = Database::memory().expect("a database");
        let table = json!({
            "TableName": "rows",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        });
        answer(&database, "CreateTable", &table.to_string()).expect("a table");
        database
    }

    fn answer(
        database: &Database,
        operation: &str,
        body: &str,
    ) -> std::result::Result<Value, Value> {
        let read = |text: String| serde_json::from_str(&text).expect("JSON");
        match call(database, operation, body.as_bytes()).expect("an operation") {
            Ok(output) => Ok(read(output)),
            Err(error) => Err(read(error.to_json())),
        }
    }

    #[test]
    fn item_that_was_put_is_returned() {
        let database = database();
        let item = json!({"pk": {"S": "a"}, "n": {"N": "1.5"}});
        let put = json!({"TableName": "rows", "Item": item});
        assert_eq!(
            answer(&database, "PutItem", &put.to_string()),
            Ok(json!({}))
        );
        let get = json!({"TableName": "rows", "Key": {"pk": {"S": "a"}}});
        let got = answer(&database, "GetItem", &get.to_string());
        assert_eq!(got, Ok(json!({"Item": item})));
    }

    #[test]
    fn failed_condition_is_answered_with_its_code() {
        let database = database();
        let put = json!({
            "TableName": "rows",
            "Item": {"pk": {"S": "a"}},
            "ConditionExpression": "attribute_exists(pk)",
        });
        let error = answer(&database, "PutItem", &put.to_string()).expect_err("refused");
        assert_eq!(
            error["__type"],
            "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
        );
    }

    #[test]
    fn unreadable_request_is_answered_as_dynamodb_answers() {
        const SERIALIZATION: &str = "com.amazon.coral.service#SerializationException";
        const VALIDATION: &str = "com.amazon.coral.validate#ValidationException";
        let database = database();
        for (operation, body, code) in [
            ("PutItem", "{", SERIALIZATION),
            ("PutItem", "", SERIALIZATION),
            ("PutItem", "{}", VALIDATION),
            ("PutItem", r#"{"TableName":5}"#, SERIALIZATION),
            (
                "PutItem",
                r#"{"TableName":"rows","Item":{"pk":{"NULL":false}}}"#,
                VALIDATION,
            ),
            (
                "GetItem",
                r#"{"TableName":"rows","Key":{"pk":{}}}"#,
                VALIDATION,
            ),
            ("DeleteTable", r#"{"TableName":null}"#, VALIDATION),
        ] {
            let error = answer(&database, operation, body).expect_err("refused");
            assert_eq!(error["__type"], code, "{operation} {body}: {error}");
            let text = error.to_string();
            for internal in ["VALIDATION:", "_REQUEST:", "at line"] {
                assert!(!text.contains(internal), "{operation} {body}: {text}");
            }
        }
    }

    #[test]
    fn unknown_operation_is_none() {
        assert!(call(&database(), "CreateBackup", b"{}").is_none());
    }
}
