//! One alternative in a field's list: a literal value or an operator.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Map, Value};

use super::{number, numeric::Range, text::TextMatcher};

/// A condition on one leaf of an event.
#[derive(Clone, Debug)]
pub(super) enum Matcher {
    /// This very value.
    Exactly(Value),
    /// A string with a property.
    Text(TextMatcher),
    /// A number in a range.
    Numeric(Range),
    /// A string that is an address in a network.
    Cidr(IpNet),
    /// Any value, including null.
    Exists,
    /// No leaf at the field's path.
    DoesNotExist,
    /// A value that none of these accepts.
    AnythingBut(Vec<Matcher>),
}

impl Matcher {
    /// Reads an alternative. The error is the problem in AWS's words.
    pub(super) fn parse(alternative: &Value) -> Result<Self, String> {
        match alternative {
            Value::Array(_) => {
                Err("Match value must be String, number, true, false, or null".into())
            }
            Value::Object(expression) => parse_expression(expression),
            literal => Ok(Self::Exactly(literal.clone())),
        }
    }

    /// Returns whether the condition accepts `leaf`, which is neither an object nor an array.
    pub(super) fn accepts(&self, leaf: &Value) -> bool {
        match (self, leaf) {
            (Self::Exactly(Value::Number(wanted)), Value::Number(number)) => {
                number::compare(wanted, number).is_eq()
            }
            (Self::Exactly(wanted), leaf) => wanted == leaf,
            (Self::Text(wanted), Value::String(text)) => wanted.accepts(text),
            (Self::Numeric(range), Value::Number(number)) => range.contains(number),
            (Self::Cidr(network), Value::String(text)) => text
                .parse::<IpAddr>()
                .is_ok_and(|address| network.contains(&address)),
            (Self::AnythingBut(unwanted), leaf) => {
                !unwanted.iter().any(|matcher| matcher.accepts(leaf))
            }
            (Self::Exists, _) => true,
            (Self::Text(_) | Self::Numeric(_) | Self::Cidr(_) | Self::DoesNotExist, _) => false,
        }
    }

    /// Returns whether the condition accepts a missing leaf. `anything-but` does not.
    pub(super) fn accepts_absence(&self) -> bool {
        matches!(self, Self::DoesNotExist)
    }
}

fn parse_expression(expression: &Map<String, Value>) -> Result<Matcher, String> {
    let (operator, operand) = only_entry(expression)?;
    match operator {
        "prefix" | "suffix" | "equals-ignore-case" | "wildcard" => {
            TextMatcher::parse(operator, operand).map(Matcher::Text)
        }
        "numeric" => Range::parse(operand).map(Matcher::Numeric),
        "cidr" => parse_cidr(operand).map(Matcher::Cidr),
        "exists" => parse_exists(operand),
        "anything-but" => parse_anything_but(operand).map(Matcher::AnythingBut),
        unknown => Err(format!("Unrecognized match type {unknown}")),
    }
}

fn only_entry(expression: &Map<String, Value>) -> Result<(&str, &Value), String> {
    let mut entries = expression.iter();
    match (entries.next(), entries.next()) {
        (Some((operator, operand)), None) => Ok((operator, operand)),
        (None, _) => Err("Match expression name not found".into()),
        (Some(_), Some(_)) => Err("Only one key allowed in match expression".into()),
    }
}

fn parse_exists(operand: &Value) -> Result<Matcher, String> {
    match operand {
        Value::Bool(true) => Ok(Matcher::Exists),
        Value::Bool(false) => Ok(Matcher::DoesNotExist),
        _ => Err("exists match pattern must be either true or false.".into()),
    }
}

fn parse_cidr(operand: &Value) -> Result<IpNet, String> {
    let network = operand
        .as_str()
        .ok_or("cidr match pattern must be a string")?;
    let (address, bits) = network
        .split_once('/')
        .filter(|(_, bits)| !bits.contains('/'))
        .ok_or("Malformed CIDR, one '/' required")?;
    let bits: i64 = bits
        .parse()
        .map_err(|_| "Malformed CIDR, mask bits must be an integer")?;
    let address: IpAddr = address
        .parse()
        .map_err(|_| format!("Nonstandard IP address: {address}"))?;
    // The service refuses a network of one address.
    let (version, limit) = match address {
        IpAddr::V4(_) => ("IPv4", 32),
        IpAddr::V6(_) => ("IPv6", 128),
    };
    u8::try_from(bits)
        .ok()
        .filter(|bits| *bits < limit)
        .and_then(|bits| IpNet::new(address, bits).ok())
        .ok_or_else(|| format!("{version} mask bits must be from 0 to {}", limit - 1))
}

fn parse_anything_but(operand: &Value) -> Result<Vec<Matcher>, String> {
    match operand {
        Value::String(_) | Value::Number(_) => Ok(vec![Matcher::Exactly(operand.clone())]),
        Value::Array(values) => parse_unwanted_literals(values),
        Value::Object(expression) => parse_unwanted_texts(expression),
        Value::Null | Value::Bool(_) => {
            Err("Value of anything-but must be an array or single string/number value.".into())
        }
    }
}

fn parse_unwanted_literals(values: &[Value]) -> Result<Vec<Matcher>, String> {
    if !values
        .iter()
        .all(|value| value.is_string() || value.is_number())
    {
        return Err("Inside anything but list, start|null|boolean is not supported.".into());
    }
    let all_strings = values.iter().all(Value::is_string);
    let all_numbers = values.iter().all(Value::is_number);
    // Both are true of an empty list.
    if all_strings == all_numbers {
        return Err("Inside anything but list, either all values are number or string, mixed type is not supported".into());
    }
    Ok(values.iter().cloned().map(Matcher::Exactly).collect())
}

fn parse_unwanted_texts(expression: &Map<String, Value>) -> Result<Vec<Matcher>, String> {
    let (operator, operand) = only_entry(expression)?;
    if !["prefix", "suffix", "equals-ignore-case", "wildcard"].contains(&operator) {
        return Err(format!("Unsupported anything-but pattern: {operator}"));
    }
    let texts = match operand {
        Value::Array(texts) if texts.is_empty() => {
            return Err("Empty arrays are not allowed".into());
        }
        Value::Array(texts) => texts.as_slice(),
        single => std::slice::from_ref(single),
    };
    texts
        .iter()
        .map(|text| parse_unwanted_text(operator, text))
        .collect()
}

fn parse_unwanted_text(operator: &str, text: &Value) -> Result<Matcher, String> {
    match (operator, text) {
        ("prefix" | "suffix", Value::String(text)) if text.is_empty() => {
            Err("Null prefix/suffix not allowed".into())
        }
        (_, Value::String(_)) => TextMatcher::parse(operator, text).map(Matcher::Text),
        _ => Err(format!(
            "{operator} match pattern inside anything-but must be a string or a list of strings"
        )),
    }
}
