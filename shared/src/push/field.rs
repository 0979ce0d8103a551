//! The field of a JSON text that an error is about.

/// The longest name that is shown, in bytes: a text that is not JSON may be anything.
const LONGEST: usize = 100;

/// Returns the last name before the place of an error. `None` if there is none, or the error names its field itself.
pub(super) fn field_at(json: &str, error: &serde_json::Error) -> Option<String> {
    if error.to_string().contains("field `") {
        return None;
    }
    let lines = json.split_inclusive('\n');
    let earlier: usize = lines
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum();
    let end = json.len().min(earlier + error.column());
    let name = last_name(&json.as_bytes()[..end])?;
    let name = str::from_utf8(name).ok()?;
    (name.len() <= LONGEST).then(|| name.to_owned())
}

/// Returns the last string that a colon follows.
fn last_name(json: &[u8]) -> Option<&[u8]> {
    let mut name = None;
    let mut rest = json;
    while let Some(start) = rest.iter().position(|byte| *byte == b'"') {
        let string = &rest[start + 1..];
        let Some(length) = string_length(string) else {
            break;
        };
        rest = string[length + 1..].trim_ascii_start();
        if rest.first() == Some(&b':') {
            name = Some(&string[..length]);
        }
    }
    name
}

/// Returns the length of the string that a text begins with, whose end is the first quotation mark that is not escaped.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|byte| {
        let is_end = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        is_end
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn error_is_about_the_last_name_before_it() {
        let long = format!(r#"{{"{}":}}"#, "x".repeat(LONGEST + 1));
        for (json, field) in [
            (r#"{"a":1,"b":}"#, Some("b")),
            (r#"{"a":"b","c":["d",]}"#, Some("c")),
            (r#"{"a\"b":}"#, Some(r#"a\"b"#)),
            ("{\n\"a\" :\n\n}", Some("a")),
            (r#"{"ä":ö}"#, Some("ä")),
            (r#"{"a":"#, Some("a")),
            (r#"{"a":"b"#, Some("a")),
            ("", None),
            ("x", None),
            (r#"["a""#, None),
            (&long, None),
        ] {
            let error = serde_json::from_str::<Value>(json).expect_err(json);
            assert_eq!(field_at(json, &error).as_deref(), field, "{json}");
        }
    }
}
