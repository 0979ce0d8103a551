//! The values of a template's parameters: given, or their defaults. As CloudFormation does before it
//! creates anything, the reader checks each value against its declaration.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Number, Value};

use super::{
    document::Document,
    error::{Problem, Problems},
    settings::Settings,
    yaml::{Kind, Node, Position},
};

/// Returns the remedy for a parameter of the stack's own template that has no value.
pub(super) fn remedy(name: &str) -> String {
    format!("give it one with --parameter {name}=…")
}

/// Returns each parameter's value, or its problem, by name; the problems are reported. `remedy` is that for a
/// parameter without a value.
pub(super) fn resolve(
    document: &Document,
    settings: &Settings,
    remedy: fn(&str) -> String,
    problems: &Problems,
) -> BTreeMap<String, Result<Node, Problem>> {
    let declarations = document.parameters.iter();
    let values: BTreeMap<_, _> = declarations
        .map(|(name, declaration)| {
            let given = settings.parameters.get(name);
            let given = given.or_else(|| settings.defaults.get(name));
            let value = value(name, declaration, given.map(String::as_str), remedy);
            (name.clone(), value)
        })
        .collect();
    for problem in values.values().filter_map(|value| value.as_ref().err()) {
        problems.report(problem.clone());
    }
    for name in settings.parameters.keys() {
        if !values.contains_key(name) {
            problems.report(unknown(name, document));
        }
    }
    values
}

fn unknown(name: &str, document: &Document) -> Problem {
    let names = document.parameters.iter().map(|(name, _)| name.as_str());
    let names: Vec<_> = names.collect();
    Problem::new(
        Position { line: 1, column: 1 },
        format!("Parameters.{name}"),
        format!(
            "the template has no such parameter, only {}",
            names.join(", ")
        ),
    )
}

/// Returns a parameter's value as text, a list joined by commas.
pub(super) fn text(value: &Node) -> String {
    match &value.kind {
        Kind::List(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        _ => value.scalar_text().unwrap_or_default(),
    }
}

fn value(
    name: &str,
    declaration: &Node,
    given: Option<&str>,
    remedy: fn(&str) -> String,
) -> Result<Node, Problem> {
    let problem =
        |reason: String| Problem::new(declaration.position, format!("Parameters.{name}"), reason);
    let declaration = Declaration(declaration);
    let kind = declaration.text("Type");
    let kind = kind.unwrap_or_else(|| "String".to_owned());
    // The default of such a parameter names a value in AWS.
    let default = (!kind.starts_with("AWS::SSM::Parameter::Value"))
        .then(|| declaration.text("Default"))
        .flatten();
    let text = given.map(str::to_owned).or(default);
    let text = text.ok_or_else(|| problem(format!("has no value: {}", remedy(name))))?;
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

/// Returns `None` if `text` should be a number and is not.
fn parse_scalar(kind: &str, text: &str) -> Option<Value> {
    if !kind.contains("Number") {
        return Some(text.into());
    }
    let whole = text.parse::<i64>().ok().map(Number::from);
    let number = whole.or_else(|| Number::from_f64(text.parse().ok()?));
    number.map(Value::from)
}

/// A parameter as the template declares it.
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
        let mut allowed: Vec<String> = allowed.iter().filter_map(Node::scalar_text).collect();
        if allowed.iter().any(|value| value == text) {
            return Ok(());
        }
        // An empty value would not show in the list.
        allowed.retain(|value| !value.is_empty());
        Err(self.fails(&format!("must be one of {}", allowed.join(", ")), text))
    }

    /// Checks that the pattern matches the whole value. CloudFormation's patterns are Java's; look-around
    /// and backreferences, which `regex` omits on purpose, are errors here.
    fn check_pattern(self, text: &str) -> Result<(), String> {
        let Some(pattern) = self.text("AllowedPattern") else {
            return Ok(());
        };
        let whole = Regex::new(&format!(r"\A(?:{pattern})\z"));
        let whole = whole.map_err(|_| {
            format!(
                "its AllowedPattern `{pattern}` is not supported here: write it without look-around \
                 and backreferences"
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
                Err(self.fails(&format!("must have a length of at least {least}"), text))
            }
            (_, Some(most)) if length > most => {
                Err(self.fails(&format!("must have a length of at most {most}"), text))
            }
            _ => Ok(()),
        }
    }

    /// Returns the template's own description of the constraint, if it has one. A value with `NoEcho` is
    /// not shown.
    fn fails(self, constraint: &str, text: &str) -> String {
        let described = self.text("ConstraintDescription");
        let constraint = described.as_deref().unwrap_or(constraint);
        match self.text("NoEcho").as_deref() {
            Some("true") => constraint.to_owned(),
            _ => format!("{constraint}, got `{text}`"),
        }
    }
}
