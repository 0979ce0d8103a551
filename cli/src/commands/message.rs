//! Messages, as they are given on the command line.

use anyhow::Context;
use serde_json::value::RawValue;

/// A message from its text: JSON as it is written, and anything else as a JSON string, as is everything
/// with `as_text`.
///
/// Errs if it begins like an object or an array and is none, which would be a mistake to send.
pub(super) fn read(text: &str, as_text: bool) -> anyhow::Result<Box<RawValue>> {
    if as_text {
        return string(text);
    }
    match RawValue::from_string(text.trim().to_owned()) {
        Ok(json) => Ok(json),
        Err(error) if text.trim_start().starts_with(['{', '[']) => Err(error).context(
            "the message begins like JSON and is none: correct it, or say --text to send it as it is",
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
    fn what_is_json_stays_as_it_is_and_the_rest_is_text() {
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
            let message = read(text, as_text).ok();
            let message = message.as_deref().map(RawValue::get);
            assert_eq!(message, expected, "{text}");
        }
    }
}
