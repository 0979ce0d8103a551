//! A value that AWS accepts where it documents text: text, a number or a boolean.

use serde::Deserialize;
use serde_json::Number;

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected text, a number or a boolean")]
pub(super) enum Scalar {
    Text(String),
    Number(Number),
    Boolean(bool),
}

impl Scalar {
    /// Returns the value as text.
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
            Self::Boolean(boolean) => boolean.to_string(),
        }
    }
}
