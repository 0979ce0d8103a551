//! The values of a template's parameters: given, or their defaults.
//!
//! Checked are what a wrong value would break here: `AllowedValues`, `MinValue`, `MaxValue` and that a
//! number is one. `AllowedPattern` and the lengths are left to the deployment.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use super::{
    document::Document,
    error::Problem,
    settings::Settings,
    yaml::{Kind, Node, Position},
};

/// Every parameter's value by name.
pub(super) fn resolve(
    document: &Document,
    settings: &Settings,
) -> Result<BTreeMap<String, Node>, Problem> {
    let names: Vec<&str> = document
        .parameters
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    for given in settings.parameters.keys() {
        if !names.contains(&given.as_str()) {
            return Err(Problem::new(
                Position { line: 1, column: 1 },
                format!("Parameters.{given}"),
                format!(
                    "there is no such parameter: the template has {}",
                    names.join(", ")
                ),
            ));
        }
    }
    document
        .parameters
        .iter()
        .map(|(name, declaration)| {
            let given = settings.parameters.get(name).map(String::as_str);
            Ok((name.clone(), value(name, declaration, given)?))
        })
        .collect()
}

fn value(name: &str, declaration: &Node, given: Option<&str>) -> Result<Node, Problem> {
    let problem =
        |reason: String| Problem::new(declaration.position, format!("Parameters.{name}"), reason);
    let text_of = |key: &str| declaration.entry(key).and_then(Node::scalar_text);
    let kind = text_of("Type").unwrap_or_else(|| "String".to_owned());
    // Its default is the name of a value kept in AWS.
    let default = (!kind.starts_with("AWS::SSM::Parameter::Value"))
        .then(|| text_of("Default"))
        .flatten();
    let text = given.map(str::to_owned).or(default).ok_or_else(|| {
        problem(format!(
            "has no value here: give it one with --parameter {name}=…"
        ))
    })?;
    check(declaration, &text).map_err(problem)?;

    let scalar = |text: &str| parse_scalar(&kind, text).map_err(problem);
    let is_list = kind == "CommaDelimitedList" || kind.starts_with("List<");
    let node = |kind| Node {
        kind,
        position: declaration.position,
    };
    if !is_list {
        return Ok(node(Kind::Scalar(scalar(&text)?)));
    }
    let items = text
        .split(',')
        .map(|item| Ok(node(Kind::Scalar(scalar(item.trim())?))))
        .collect::<Result<_, Problem>>()?;
    Ok(node(Kind::List(items)))
}

fn parse_scalar(kind: &str, text: &str) -> Result<Value, String> {
    if !kind.contains("Number") {
        return Ok(text.into());
    }
    let whole = text.parse::<i64>().ok().map(Number::from);
    let number = whole.or_else(|| Number::from_f64(text.parse().ok()?));
    let number = number.ok_or_else(|| format!("must be a number, is `{text}`"))?;
    Ok(number.into())
}

fn check(declaration: &Node, text: &str) -> Result<(), String> {
    if let Some(Kind::List(allowed)) = declaration.entry("AllowedValues").map(|node| &node.kind) {
        let allowed: Vec<String> = allowed.iter().filter_map(Node::scalar_text).collect();
        if !allowed.iter().any(|value| value == text) {
            let allowed = allowed.join(", ");
            return Err(format!("must be one of {allowed}, is `{text}`"));
        }
    }
    let bound = |key: &str| -> Option<f64> { declaration.entry(key)?.scalar_text()?.parse().ok() };
    let Ok(number) = text.parse::<f64>() else {
        return Ok(());
    };
    match (bound("MinValue"), bound("MaxValue")) {
        (Some(minimum), _) if number < minimum => {
            Err(format!("must be at least {minimum}, is {text}"))
        }
        (_, Some(maximum)) if number > maximum => {
            Err(format!("must be at most {maximum}, is {text}"))
        }
        _ => Ok(()),
    }
}
