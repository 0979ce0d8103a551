//! The answer to a request.

use std::collections::BTreeMap;

use serde::Serialize;

/// The result of a function for its URL. The body is JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpAnswer {
    status_code: u16,
    headers: BTreeMap<&'static str, &'static str>,
    body: String,
}

impl HttpAnswer {
    /// Returns an answer with this status and this JSON text.
    pub fn new(status_code: u16, body: String) -> Self {
        Self {
            status_code,
            headers: BTreeMap::from([
                ("cache-control", "no-store"),
                ("content-type", "application/json"),
            ]),
            body,
        }
    }

    /// Returns the same answer with another header.
    pub fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(name, value);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_has_the_documented_format() {
        let answer = HttpAnswer::new(429, "{}".to_owned()).with_header("retry-after", "1");
        assert_eq!(
            serde_json::to_string(&answer).expect("JSON"),
            concat!(
                r#"{"statusCode":429,"headers":{"cache-control":"no-store","#,
                r#""content-type":"application/json","retry-after":"1"},"body":"{}"}"#
            )
        );
    }
}
