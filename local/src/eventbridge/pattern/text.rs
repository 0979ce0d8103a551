//! The operators on strings: `prefix`, `suffix`, `equals-ignore-case` and `wildcard`.

use serde_json::Value;

use super::wildcard::Wildcard;

/// A condition on a string. Texts that are compared ignoring case are stored folded.
#[derive(Clone, Debug)]
pub(super) enum TextMatcher {
    Prefix(String),
    PrefixIgnoringCase(String),
    Suffix(String),
    SuffixIgnoringCase(String),
    EqualsIgnoringCase(String),
    Wildcard(Wildcard),
}

impl TextMatcher {
    /// Reads the operand of one of the operators on strings.
    pub(super) fn parse(operator: &str, operand: &Value) -> Result<Self, String> {
        match (operator, operand) {
            ("prefix", Value::String(text)) => Ok(Self::Prefix(text.clone())),
            ("prefix", Value::Object(_)) => {
                ignoring_case("prefix", operand).map(Self::PrefixIgnoringCase)
            }
            ("suffix", Value::String(text)) => Ok(Self::Suffix(text.clone())),
            ("suffix", Value::Object(_)) => {
                ignoring_case("suffix", operand).map(Self::SuffixIgnoringCase)
            }
            ("equals-ignore-case", Value::String(text)) => Ok(Self::EqualsIgnoringCase(fold(text))),
            ("wildcard", Value::String(text)) => Wildcard::parse(text).map(Self::Wildcard),
            _ => Err(format!("{operator} match pattern must be a string")),
        }
    }

    /// Returns whether the condition accepts `text`.
    pub(super) fn accepts(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix) => text.starts_with(prefix),
            Self::PrefixIgnoringCase(prefix) => fold(text).starts_with(prefix),
            Self::Suffix(suffix) => text.ends_with(suffix),
            Self::SuffixIgnoringCase(suffix) => fold(text).ends_with(suffix),
            Self::EqualsIgnoringCase(other) => fold(text) == *other,
            Self::Wildcard(wildcard) => wildcard.matches(text),
        }
    }
}

/// Reads `{"equals-ignore-case": "text"}`, the only operator allowed inside a prefix or suffix.
fn ignoring_case(outer: &str, operand: &Value) -> Result<String, String> {
    let mut entries = operand.as_object().into_iter().flatten();
    let (operator, text) = entries
        .next()
        .ok_or_else(|| format!("{outer} expression name not found"))?;
    if operator != "equals-ignore-case" {
        return Err(format!("Unsupported {outer} pattern: {operator}"));
    }
    if entries.next().is_some() {
        return Err("Only one key allowed in match expression".into());
    }
    text.as_str()
        .map(fold)
        .ok_or_else(|| "equals-ignore-case match pattern must be a string".into())
}

/// Lowercases character by character. `str::to_lowercase` looks at a character's neighbours, so the
/// folded prefix of a text might not be a prefix of the folded text.
fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}
