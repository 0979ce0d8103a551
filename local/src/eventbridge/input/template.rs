//! Input templates: text with the values of variables in angle brackets.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html>

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Delivered, InputError, path::Path};

/// The most variables of a transformer, and the most characters of its template.
///
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_InputTransformer.html>
const VARIABLES: usize = 100;
const TEMPLATE: usize = 8192;

/// An `InputTransformer`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transformer(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Value {
        variable: Variable,
        /// True if the place is within a JSON string.
        quoted: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Variable {
    Path(Path),
    RuleArn,
    RuleName,
    IngestionTime,
    /// The event without its detail.
    Envelope,
    /// The whole event.
    Event,
}

impl Transformer {
    /// Returns the transformer of an `InputPathsMap` and an `InputTemplate`.
    ///
    /// # Errors
    ///
    /// Returns [`InputError`] if a path is invalid, or the template names an unknown variable or is too
    /// long.
    pub fn parse(
        paths: impl IntoIterator<Item = (String, String)>,
        template: &str,
    ) -> Result<Self, InputError> {
        let variables = variables(paths)?;
        if template.chars().count() > TEMPLATE {
            return Err(InputError::TooLong(TEMPLATE));
        }
        parts(template, &variables).map(Self)
    }

    /// Returns the text of an event for a target. The value of a path that the event does not have is
    /// left out.
    pub(super) fn fill(&self, delivered: Delivered<'_>) -> String {
        let parts = self.0.iter();
        parts
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Value { variable, quoted } => {
                    let value = variable.value(delivered);
                    value.map_or_else(String::new, |value| inserted(&value, *quoted))
                }
            })
            .collect()
    }
}

fn variables(
    paths: impl IntoIterator<Item = (String, String)>,
) -> Result<BTreeMap<String, Variable>, InputError> {
    let reserved = [
        ("aws.events.rule-arn", Variable::RuleArn),
        ("aws.events.rule-name", Variable::RuleName),
        ("aws.events.event.ingestion-time", Variable::IngestionTime),
        ("aws.events.event", Variable::Envelope),
        ("aws.events.event.json", Variable::Event),
    ];
    let reserved = reserved.map(|(name, variable)| (name.to_owned(), variable));
    let mut variables = BTreeMap::from(reserved);
    let count = variables.len();
    for (name, path) in paths {
        if name.to_lowercase().starts_with("aws.") {
            return Err(InputError::Reserved(name));
        }
        variables.insert(name, Variable::Path(Path::parse(&path)?));
    }
    if variables.len() > count + VARIABLES {
        return Err(InputError::TooMany(VARIABLES));
    }
    Ok(variables)
}

fn parts(template: &str, variables: &BTreeMap<String, Variable>) -> Result<Vec<Part>, InputError> {
    let mut parts = Vec::new();
    let mut quoted = false;
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('<') {
        quoted ^= ends_in_a_string(text);
        let (name, after) = after.split_once('>').ok_or(InputError::Unclosed)?;
        let variable = variables
            .get(name)
            .ok_or_else(|| InputError::Unknown(name.to_owned()))?;
        let variable = variable.clone();
        if quoted && matches!(variable, Variable::Envelope | Variable::Event) {
            return Err(InputError::Quoted(name.to_owned()));
        }
        parts.push(Part::Text(text.to_owned()));
        parts.push(Part::Value { variable, quoted });
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(parts)
}

/// Returns whether a text has an odd number of quotation marks that are not escaped.
fn ends_in_a_string(text: &str) -> bool {
    let (mut odd, mut escaped) = (false, false);
    for character in text.chars() {
        odd ^= character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
    }
    odd
}

/// Returns the text of a value. Within a string it is not escaped, and an object or an array there loses its
/// quotation marks.
fn inserted(value: &Value, quoted: bool) -> String {
    match value {
        Value::String(text) if quoted => text.clone(),
        Value::Object(_) | Value::Array(_) if quoted => value.to_string().replace('"', ""),
        value => value.to_string(),
    }
}

impl Variable {
    fn value(&self, delivered: Delivered<'_>) -> Option<Value> {
        let Delivered {
            event,
            ingested_at,
            rule_name,
            rule_arn,
        } = delivered;
        match self {
            Self::Path(path) => path.value(event),
            Self::RuleArn => Some(json!(rule_arn)),
            Self::RuleName => Some(json!(rule_name)),
            Self::IngestionTime => Some(json!(ingested_at)),
            Self::Event => Some(event.clone()),
            Self::Envelope => {
                let mut envelope = event.clone();
                envelope.as_object_mut()?.remove("detail");
                Some(envelope)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transformer(template: &str) -> Result<Transformer, InputError> {
        let paths = [
            ("order", "$.detail.order"),
            ("note", "$.detail.note"),
            ("lines", "$.detail.lines"),
            ("count", "$.detail.count"),
            ("absent", "$.detail.absent"),
        ];
        Transformer::parse(
            paths.map(|(name, path)| (name.into(), path.into())),
            template,
        )
    }

    fn filled(template: &str) -> String {
        let event = json!({
            "id": "e-1",
            "detail": {"order": "o-1", "note": "a \"b\"", "lines": [{"sku": "x"}], "count": 2.5},
        });
        let delivered = Delivered {
            event: &event,
            ingested_at: "2026-11-20T10:15:30Z",
            rule_name: "rule",
            rule_arn: "arn:rule",
        };
        transformer(template).expect("a template").fill(delivered)
    }

    #[test]
    fn values_are_inserted_as_json_and_within_strings_as_text() {
        for (template, expected) in [
            ("{\"order\": <order>}", "{\"order\": \"o-1\"}"),
            (
                "{\"order\": \"order-<order>\"}",
                "{\"order\": \"order-o-1\"}",
            ),
            ("{\"note\": <note>}", "{\"note\": \"a \\\"b\\\"\"}"),
            // EventBridge does not escape values within strings.
            ("{\"note\": \"<note>\"}", "{\"note\": \"a \"b\"\"}"),
            ("{\"lines\": <lines>}", "{\"lines\": [{\"sku\":\"x\"}]}"),
            ("\"lines: <lines>\"", "\"lines: [{sku:x}]\""),
            (
                "{\"n\": <count>, \"t\": \"<count>\"}",
                "{\"n\": 2.5, \"t\": \"2.5\"}",
            ),
            ("{\"t\": \"a \\\" <order>\"}", "{\"t\": \"a \\\" o-1\"}"),
            ("\"<order> and <absent>.\"", "\"o-1 and .\""),
            ("\"no variable\"", "\"no variable\""),
        ] {
            assert_eq!(filled(template), expected);
        }
    }

    #[test]
    fn reserved_variables_describe_the_event_and_the_rule() {
        let template = "[<aws.events.rule-arn>,<aws.events.rule-name>,<aws.events.event.ingestion-time>,<aws.events.event>]";
        let expected = r#"["arn:rule","rule","2026-11-20T10:15:30Z",{"id":"e-1"}]"#;
        assert_eq!(filled(template), expected);
        let whole: Value = serde_json::from_str(&filled("<aws.events.event.json>")).expect("JSON");
        assert_eq!(whole["detail"]["order"], "o-1");
    }

    #[test]
    fn invalid_template_is_refused_with_its_reason() {
        for (template, expected) in [
            ("<other>", InputError::Unknown("other".into())),
            ("{\"a\": <order", InputError::Unclosed),
            (
                "\"<aws.events.event>\"",
                InputError::Quoted("aws.events.event".into()),
            ),
            (&"x".repeat(TEMPLATE + 1), InputError::TooLong(TEMPLATE)),
        ] {
            assert_eq!(transformer(template), Err(expected));
        }
        let reserved = [("AWS.x".to_owned(), "$".to_owned())];
        let refused = Transformer::parse(reserved, "x");
        assert_eq!(refused, Err(InputError::Reserved("AWS.x".into())));
        let many = (0..=VARIABLES).map(|number| (number.to_string(), "$".to_owned()));
        let refused = Transformer::parse(many, "x");
        assert_eq!(refused, Err(InputError::TooMany(VARIABLES)));
    }
}
