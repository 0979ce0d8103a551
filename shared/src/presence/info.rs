//! What the token says about a member, for others to see.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// The value of a token's claim `heraldInfo`: any JSON value that is short when written compactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info(String);

/// The reason a text is not an [`Info`].
#[derive(Debug, thiserror::Error)]
pub enum InvalidInfo {
    /// The text is not JSON.
    #[error("heraldInfo is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// The value is too long.
    #[error("heraldInfo is {0} bytes long as compact JSON, the limit is {limit}", limit = Info::LIMIT)]
    TooLong(usize),
}

impl Info {
    /// The maximum length of the compact JSON in bytes: every member row and every frame that names the
    /// member has it.
    pub const LIMIT: usize = 256;

    /// Reads a JSON text.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidInfo`] if the text is not JSON, or longer than [`Self::LIMIT`] without its white
    /// space.
    pub fn from_json(text: &str) -> Result<Self, InvalidInfo> {
        let value: &RawValue = serde_json::from_str(text).map_err(InvalidInfo::NotJson)?;
        let compact = compact(value.get());
        match compact.len() {
            0..=Self::LIMIT => Ok(Self(compact)),
            length => Err(InvalidInfo::TooLong(length)),
        }
    }

    /// Returns the compact JSON.
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Info {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Serialize for Info {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// Returns JSON without the white space between its tokens. Everything else stays as it was written.
fn compact(json: &str) -> String {
    let mut compact = String::with_capacity(json.len().min(Info::LIMIT));
    let (mut in_string, mut escaped) = (false, false);
    for character in json.chars() {
        if in_string || !matches!(character, ' ' | '\t' | '\n' | '\r') {
            compact.push(character);
        }
        match character {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
    }
    compact
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_counts_only_within_strings() {
        for (text, expected) in [
            (
                r#" { "name" : "A b\" c" , "n" : [ 1 , 2.0e3 ] } "#,
                r#"{"name":"A b\" c","n":[1,2.0e3]}"#,
            ),
            ("null", "null"),
            (r#""\\" "#, r#""\\""#),
        ] {
            let info = Info::from_json(text).expect(text);
            assert_eq!(info.as_json(), expected);
            assert_eq!(serde_json::to_string(&info).expect("JSON"), expected);
        }
    }

    #[test]
    fn long_or_broken_info_is_refused_with_message() {
        let of_length = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
        assert!(Info::from_json(&of_length(256)).is_ok());
        let error = Info::from_json(&of_length(257)).expect_err("too long");
        assert_eq!(
            error.to_string(),
            "heraldInfo is 257 bytes long as compact JSON, the limit is 256"
        );
        assert!(Info::from_json("{").is_err());
    }
}
