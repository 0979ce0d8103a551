//! The route selection expression, which chooses a message's route by its JSON.
//!
//! Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-routes.html>

use std::collections::HashMap;

use serde_json::{Value, value::RawValue};

const BODY: &str = "request.body.";

/// A parsed route selection expression.
#[derive(Debug)]
pub(super) enum RouteSelection {
    /// `$request.body.action`: one value of the message.
    Path(Vec<String>),
    /// `${request.body.service}/${request.body.action}`: text and values.
    Compound(Vec<Part>),
}

#[derive(Debug)]
pub(super) enum Part {
    Text(String),
    Path(Vec<String>),
}

impl RouteSelection {
    /// Parses an expression. It fails if the expression refers to anything but the message's body.
    pub(super) fn parse(expression: &str) -> anyhow::Result<Self> {
        if let Some(path) = expression.strip_prefix('$')
            && !path.starts_with('{')
        {
            return body_path(expression, path).map(Self::Path);
        }
        let mut parts = Vec::new();
        let mut rest = expression;
        while let Some((text, after)) = rest.split_once("${") {
            let (path, after) = after
                .split_once('}')
                .ok_or_else(|| invalid(expression, "has a ${ without its }"))?;
            parts.push(Part::Text(text.to_owned()));
            parts.push(Part::Path(body_path(expression, path)?));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self::Compound(parts))
    }

    /// Returns the route key of a message. `None` if the message is not JSON, has no value at the
    /// path, or names `$connect` or `$disconnect`.
    pub(super) fn key(&self, message: &str) -> Option<String> {
        let key = match self {
            Self::Path(path) => stringify(&value(message, path)?)?,
            Self::Compound(parts) => parts.iter().map(|part| part.evaluate(message)).collect(),
        };
        (key != "$connect" && key != "$disconnect").then_some(key)
    }
}

impl Part {
    /// Returns the part's text; the text of a missing value is empty.
    fn evaluate(&self, message: &str) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Path(path) => value(message, path)
                .and_then(|value| stringify(&value))
                .unwrap_or_default(),
        }
    }
}

fn body_path(expression: &str, path: &str) -> anyhow::Result<Vec<String>> {
    let path = path.strip_prefix(BODY).ok_or_else(|| {
        invalid(
            expression,
            "selects by something other than request.body, which herald-local does not support",
        )
    })?;
    Ok(path.split('.').map(str::to_owned).collect())
}

fn invalid(expression: &str, problem: &str) -> anyhow::Error {
    anyhow::anyhow!("the route selection expression {expression:?} {problem}")
}

/// Returns the value at a path. It reads nothing else of the message, which may hold numbers beyond
/// the range of every Rust type.
fn value(message: &str, path: &[String]) -> Option<Value> {
    let Some((name, rest)) = path.split_first() else {
        return serde_json::from_str(message).ok();
    };
    let fields: HashMap<String, &RawValue> = serde_json::from_str(message).ok()?;
    value(fields.get(name)?.get(), rest)
}

/// Returns the text of a value that selects a route. Numbers, booleans and lists select by their
/// text.
fn stringify(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().filter_map(stringify).collect();
            Some(format!("[{}]", items.join(", ")))
        }
        Value::Null | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::{
        collection::{btree_map, vec},
        prelude::*,
    };
    use serde_json::json;

    use super::*;

    #[test]
    fn action_of_a_message_is_its_route_key() {
        let selection = RouteSelection::parse("$request.body.action").expect("an expression");
        for (message, key) in [
            (r#"{"action":"subscribe"}"#, Some("subscribe")),
            (r#"{"action":5}"#, Some("5")),
            (r#"{"action":"subscribe","n":1E400}"#, Some("subscribe")),
            (r#"{"action":true}"#, Some("true")),
            (r#"{"action":["a","b"]}"#, Some("[a, b]")),
            (r#"{"action":null}"#, None),
            (r#"{"action":{"a":1}}"#, None),
            (r#"{"other":1}"#, None),
            (r#"["action"]"#, None),
            ("5", None),
            ("null", None),
            ("not JSON", None),
            ("", None),
            (r#"{"action":"$connect"}"#, None),
            (r#"{"action":"$disconnect"}"#, None),
            (r#"{"action":"$default"}"#, Some("$default")),
        ] {
            assert_eq!(selection.key(message).as_deref(), key, "{message}");
        }
    }

    #[test]
    fn compound_expression_joins_text_and_values() {
        let expression = "${request.body.service}/${request.body.call.name}";
        let selection = RouteSelection::parse(expression).expect("an expression");
        for (message, key) in [
            (r#"{"service":"chat","call":{"name":"join"}}"#, "chat/join"),
            (r#"{"service":"chat"}"#, "chat/"),
            ("not JSON", "/"),
        ] {
            assert_eq!(selection.key(message).as_deref(), Some(key), "{message}");
        }
    }

    #[test]
    fn unsupported_expression_is_refused() {
        for (expression, problem) in [
            (
                "$request.header.x",
                "selects by something other than request.body",
            ),
            ("${request.body.a", "has a ${ without its }"),
        ] {
            let error = RouteSelection::parse(expression).expect_err(expression);
            assert!(error.to_string().contains(problem), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_a_route_key_or_none(message in any::<String>(), action in any::<String>()) {
            let selection = RouteSelection::parse("$request.body.action").expect("an expression");
            selection.key(&message);
            let key = Some(action.clone()).filter(|action| action != "$connect" && action != "$disconnect");
            prop_assert_eq!(selection.key(&json!({ "other": message, "action": action }).to_string()), key);
        }

        #[test]
        fn route_key_agrees_with_plain_reader(message in message()) {
            let selection = RouteSelection::parse("$request.body.a.b").expect("an expression");
            let key = plain_text(&message["a"]["b"]).filter(|_| message["a"].is_object());
            prop_assert_eq!(selection.key(&message.to_string()), key);
        }

        #[test]
        fn any_expression_parses_or_returns_an_error_in_words(
            expression in prop_oneof![any::<String>(), r"(\$|\{|\}|request\.body|header|\.|a){0,8}"],
            message in message(),
        ) {
            match RouteSelection::parse(&expression) {
                Ok(selection) => {
                    selection.key(&message.to_string());
                }
                Err(error) => prop_assert!(error.to_string().starts_with("the route selection expression ")),
            }
        }
    }

    fn message() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            "[a-c]{0,3}".prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            let fields = btree_map("[ab]", inner.clone(), 0..3);
            prop_oneof![
                vec(inner, 0..3).prop_map(Value::from),
                fields.prop_map(|fields| json!(fields)),
            ]
        })
    }

    /// Returns the text of a value by the rules of the developer guide.
    fn plain_text(value: &Value) -> Option<String> {
        if let Some(items) = value.as_array() {
            let items: Vec<_> = items.iter().filter_map(plain_text).collect();
            return Some(format!("[{}]", items.join(", ")));
        }
        let scalar = value.is_boolean() || value.is_number();
        let text = value.as_str().map(str::to_owned);
        text.or_else(|| scalar.then(|| value.to_string()))
    }
}
