//! Messages on the command line.

use anyhow::Context;
use serde_json::value::RawValue;

/// Parses a message: JSON stays as it is written, and other text becomes a JSON string, as all text does with `as_text`.
///
/// Fails if the text begins like an object or an array and is not valid JSON: it is probably a mistake.
pub(super) fn parse(text: &str, as_text: bool) -> anyhow::Result<Box<RawValue>> {
    if as_text {
        return string(text);
    }
    match RawValue::from_string(text.trim().to_owned()) {
        Ok(json) => Ok(json),
        Err(error) if text.trim_start().starts_with(['{', '[']) => Err(error).context(
            "the message begins like JSON but is not valid: correct it, or pass --text to send it as text",
        ),
        Err(_) => string(text),
    }
}

fn string(text: &str) -> anyhow::Result<Box<RawValue>> {
    Ok(serde_json::value::to_raw_value(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_as_it_is_and_other_text_becomes_a_string() {
        for (text, as_text, expected) in [
            (r#"{"b": 1.0, "a":2}"#, false, Some(r#"{"b": 1.0, "a":2}"#)),
            (" [1]\n", false, Some("[1]")),
            ("42", false, Some("42")),
            ("42", true, Some(r#""42""#)),
            ("Hello", false, Some(r#""Hello""#)),
            (r#""Hello""#, false, Some(r#""Hello""#)),
            ("", false, Some(r#""""#)),
            ("say \"hi\"\n", false, Some(r#""say \"hi\"\n""#)),
            (r#"{"a":1"#, false, None),
            (r#"{"a":1"#, true, Some(r#""{\"a\":1""#)),
            ("[x]", false, None),
        ] {
            let message = parse(text, as_text).ok();
            let message = message.as_deref().map(RawValue::get);
            assert_eq!(message, expected, "{text}");
        }
    }
}
