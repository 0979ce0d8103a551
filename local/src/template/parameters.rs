//! The values of a template's parameters: given, or their defaults. A value is held against all that
//! its declaration says of it, as CloudFormation does before it makes anything.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>

use std::collections::BTreeMap;

use regex::Regex;
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
            let given = settings.parameters.get(name);
            let given = given.or_else(|| settings.defaults.get(name));
            let value = value(name, declaration, given.map(String::as_str))?;
            Ok((name.clone(), value))
        })
        .collect()
}

/// A parameter's value as text, a list joined by commas.
pub(super) fn text(value: &Node) -> String {
    match &value.kind {
        Kind::List(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        _ => value.scalar_text().unwrap_or_default(),
    }
}

fn value(name: &str, declaration: &Node, given: Option<&str>) -> Result<Node, Problem> {
    let problem =
        |reason: String| Problem::new(declaration.position, format!("Parameters.{name}"), reason);
    let declaration = Declaration(declaration);
    let kind = declaration.text("Type");
    let kind = kind.unwrap_or_else(|| "String".to_owned());
    // Its default is the name of a value kept in AWS.
    let default = (!kind.starts_with("AWS::SSM::Parameter::Value"))
        .then(|| declaration.text("Default"))
        .flatten();
    let text = given.map(str::to_owned).or(default).ok_or_else(|| {
        problem(format!(
            "has no value here: give it one with --parameter {name}=…"
        ))
    })?;
    let scalar = |text: &str| -> Result<Node, Problem> {
        let value = parse_scalar(&kind, text);
        let value = value.ok_or_else(|| declaration.fails("must be a number", text));
        let value = value.map_err(problem)?;
        declaration.check(&kind, text).map_err(problem)?;
        Ok(declaration.node(Kind::Scalar(value)))
    };
    let is_list = kind == "CommaDelimitedList" || kind.starts_with("List<");
    if !is_list {
        return scalar(&text);
    }
    let items = text.split(',').map(|item| scalar(item.trim()));
    let items = items.collect::<Result<_, Problem>>()?;
    Ok(declaration.node(Kind::List(items)))
}

/// None if it should be a number and is not.
fn parse_scalar(kind: &str, text: &str) -> Option<Value> {
    if !kind.contains("Number") {
        return Some(text.into());
    }
    let whole = text.parse::<i64>().ok().map(Number::from);
    let number = whole.or_else(|| Number::from_f64(text.parse().ok()?));
    number.map(Value::from)
}

/// What a template says of a parameter.
#[derive(Clone, Copy)]
struct Declaration<'a>(&'a Node);

impl Declaration<'_> {
    fn text(self, key: &str) -> Option<String> {
        self.0.entry(key).and_then(Node::scalar_text)
    }

    fn number(self, key: &str) -> Option<f64> {
        self.text(key)?.parse().ok()
    }

    fn node(self, kind: Kind) -> Node {
        Node {
            kind,
            position: self.0.position,
        }
    }

    /// Checks a value, or one item of a list.
    fn check(self, kind: &str, text: &str) -> Result<(), String> {
        self.check_allowed_values(text)?;
        self.check_pattern(text)?;
        match kind {
            "Number" => self.check_number(text),
            "String" => self.check_length(text),
            _ => Ok(()),
        }
    }

    fn check_allowed_values(self, text: &str) -> Result<(), String> {
        let Some(Kind::List(allowed)) = self.0.entry("AllowedValues").map(|node| &node.kind) else {
            return Ok(());
        };
        let allowed: Vec<String> = allowed.iter().filter_map(Node::scalar_text).collect();
        if allowed.iter().any(|value| value == text) {
            return Ok(());
        }
        Err(self.fails(&format!("must be one of {}", allowed.join(", ")), text))
    }

    /// The pattern must match the whole value. CloudFormation's are Java's; look-around and references
    /// back, which `regex` lacks on purpose, are errors here.
    fn check_pattern(self, text: &str) -> Result<(), String> {
        let Some(pattern) = self.text("AllowedPattern") else {
            return Ok(());
        };
        let whole = Regex::new(&format!(r"\A(?:{pattern})\z"));
        let whole = whole.map_err(|_| {
            format!(
                "its AllowedPattern `{pattern}` cannot be read here: write it without look-around \
                 and references back"
            )
        })?;
        if whole.is_match(text) {
            return Ok(());
        }
        Err(self.fails(&format!("must match `{pattern}`"), text))
    }

    fn check_number(self, text: &str) -> Result<(), String> {
        let number = text.parse::<f64>().unwrap_or(f64::NAN);
        match (self.number("MinValue"), self.number("MaxValue")) {
            (Some(least), _) if number < least => {
                Err(self.fails(&format!("must be at least {least}"), text))
            }
            (_, Some(most)) if number > most => {
                Err(self.fails(&format!("must be at most {most}"), text))
            }
            _ => Ok(()),
        }
    }

    fn check_length(self, text: &str) -> Result<(), String> {
        let length = text.chars().count() as f64;
        match (self.number("MinLength"), self.number("MaxLength")) {
            (Some(least), _) if length < least => {
                Err(self.fails(&format!("must have at least {least} characters"), text))
            }
            (_, Some(most)) if length > most => {
                Err(self.fails(&format!("must have at most {most} characters"), text))
            }
            _ => Ok(()),
        }
    }

    /// The template's own words for what is wrong, if it has any. A value with `NoEcho` is not told.
    fn fails(self, constraint: &str, text: &str) -> String {
        let described = self.text("ConstraintDescription");
        let constraint = described.as_deref().unwrap_or(constraint);
        match self.text("NoEcho").as_deref() {
            Some("true") => constraint.to_owned(),
            _ => format!("{constraint}, is `{text}`"),
        }
    }
}
