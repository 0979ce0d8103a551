//! `openapi.yaml` compared with the functions behind URLs: every answer that a test of this suite receives
//! must match the document.

use std::{collections::HashMap, sync::LazyLock};

use herald_testkit::local_only;
use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::{
    asyncapi::{self, read},
    http_client::HttpAnswer,
};

/// The beginning of references to `asyncapi.yaml`.
const SHARED: &str = "asyncapi.yaml";

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| read("openapi.yaml"));

/// The schemas of both documents.
static SCHEMAS: LazyLock<Value> = LazyLock::new(|| {
    let mut schemas = asyncapi::schemas().clone();
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        let replaced = schemas.insert(name.clone(), local(schema));
        assert_eq!(replaced, None, "both documents have a schema {name}");
    }
    schemas.into()
});

/// The schemas of answers, by path, method and status.
static ANSWERS: LazyLock<HashMap<(String, String, u16), Option<Validator>>> = LazyLock::new(|| {
    let operations = operations().flat_map(|(path, method, operation)| {
        let responses = operation["responses"].as_object().unwrap();
        responses.iter().map(move |(status, response)| {
            let schema = &resolved(response)["content"]["application/json"]["schema"];
            let validator = schema.is_object().then(|| validator(schema));
            (
                (path.clone(), method.clone(), status.parse().unwrap()),
                validator,
            )
        })
    });
    operations.collect()
});

/// Fails if the document does not describe an answer to a request.
pub fn check_answer(method: &str, path: &str, answer: &HttpAnswer) {
    let (method, status) = (method.to_lowercase(), answer.status);
    let mut operations = operations();
    let documented = operations.find(|(known, of, _)| *known == path && *of == method);
    // A wrong path or method is answered as any operation's is; a preflight is not the function's.
    let (path, method) = match documented {
        Some((path, method, _)) => (path, method),
        None if matches!(status, 401 | 404 | 405) => ("/".to_owned(), "post".to_owned()),
        None => return,
    };
    let validator = ANSWERS.get(&(path, method, status));
    let validator = validator.unwrap_or_else(|| panic!("openapi.yaml has no {answer:?}"));
    if let Some(validator) = validator {
        let body = answer.json();
        let errors: Vec<_> = validator
            .iter_errors(&body)
            .map(|error| error.to_string())
            .collect();
        assert!(
            errors.is_empty(),
            "openapi.yaml describes no such answer: {body}: {errors:?}"
        );
    }
}

#[local_only("needs no stack")]
#[test]
fn examples_match_their_schemas() {
    let mut checked = 0;
    for (path, _, operation) in operations() {
        let responses = operation["responses"].as_object().unwrap().values();
        for content in responses.chain([&operation["requestBody"]]) {
            let content = &resolved(content)["content"]["application/json"];
            for (name, example) in content["examples"].as_object().into_iter().flatten() {
                let schema = validator(&content["schema"]);
                assert!(schema.is_valid(&example["value"]), "{path} {name}");
                checked += 1;
            }
        }
    }
    assert!(checked > 8, "only {checked} examples");
}

#[local_only("needs no stack")]
#[test]
fn wrong_answers_do_not_match() {
    let reply = validator(&json!({"$ref": "#/components/schemas/PublishReply"}));
    for (wrong, results) in [
        ("no result", json!([])),
        ("an unknown field", json!([{"eventId": "e", "to": 1}])),
        (
            "an epoch without an offset",
            json!([{"eventId": "e", "epoch": "k3J9x2Qa"}]),
        ),
        (
            "a code that is no message's",
            json!([{"error": {"code": "partly_sent", "message": "", "retryable": true}}]),
        ),
    ] {
        assert!(!reply.is_valid(&json!({"results": results})), "{wrong}");
    }
}

/// Returns the operations, each with its path and method.
fn operations() -> impl Iterator<Item = (String, String, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (path.clone(), method.clone(), operation))
    })
}

/// Returns the target of a reference, and what is none itself.
fn resolved(value: &'static Value) -> &'static Value {
    let Some(reference) = value["$ref"].as_str() else {
        return value;
    };
    DOCUMENT
        .pointer(reference.trim_start_matches('#'))
        .expect(reference)
}

fn validator(schema: &Value) -> Validator {
    let root = json!({"allOf": [local(schema)], "components": {"schemas": *SCHEMAS}});
    jsonschema::validator_for(&root).unwrap()
}

/// Returns the same schema with references to the schemas of both documents in one.
fn local(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.clone(), local(value)));
            fields.collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(local).collect(),
        Value::String(text) => json!(text.strip_prefix(SHARED).unwrap_or(text)),
        other => other.clone(),
    }
}
