//! Removal of tokens from frames: with a client's token, others could act as that client.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The text that replaces a token.
const HIDDEN: &str = r#""…""#;

#[derive(Default, Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    token: Option<&'a RawValue>,
}

/// Returns a client's frame without its token.
pub(super) fn without_token(frame: &str) -> Cow<'_, str> {
    let parsed: Frame<'_> = serde_json::from_str(frame).unwrap_or_default();
    let token = parsed.token.map(RawValue::get);
    match token.filter(|token| token.starts_with('"')) {
        Some(token) => frame.replace(token, HIDDEN).into(),
        None => frame.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_token;

    #[test]
    fn token_is_hidden_and_nothing_else() {
        for (frame, shown) in [
            (
                r#"{"action":"authenticate","token":"ey.J\u0030","id": 1.0}"#,
                r#"{"action":"authenticate","token":"…","id": 1.0}"#,
            ),
            (r#"{"\u0074oken":"ey"}"#, r#"{"\u0074oken":"…"}"#),
            (
                r#"{"token":"ey","message":["ey","eyes"]}"#,
                r#"{"token":"…","message":["…","eyes"]}"#,
            ),
            (r#"{"token":5,"n":15}"#, r#"{"token":5,"n":15}"#),
            (
                r#"{"message":{"token":"mine"}}"#,
                r#"{"message":{"token":"mine"}}"#,
            ),
            (r#"{"token":"#, r#"{"token":"#),
        ] {
            assert_eq!(without_token(frame), shown, "{frame}");
        }
    }
}
