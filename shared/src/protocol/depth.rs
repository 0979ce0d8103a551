//! The nesting of a message.

use serde_json::value::RawValue;

/// The most levels of arrays and objects in a message.
///
/// Clients decode a message inside the frames and replies that carry it, and one message that a decoder refuses costs
/// them the whole reply. The decoder with the lowest limit is `serde_json`, which refuses a value of 128 levels; Python's
/// ends with its recursion limit of 1000 calls, those of the program included.
///
/// Source: <https://docs.rs/serde_json/latest/serde_json/struct.Deserializer.html#method.disable_recursion_limit>
pub const DEPTH_LIMIT: usize = 100;

/// The refusal of a value that some clients could not decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{field} has more than {DEPTH_LIMIT} levels of arrays and objects: flatten it, or send it as a string"
)]
pub struct TooDeep {
    /// The field that has the value.
    pub field: &'static str,
}

/// Checks the nesting of a value.
///
/// # Errors
///
/// Returns [`TooDeep`] if the value has more than [`DEPTH_LIMIT`] levels.
pub(crate) fn check_depth(field: &'static str, value: &RawValue) -> Result<(), TooDeep> {
    let mut depth = 0_usize;
    let mut bytes = value.get().bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' if depth == DEPTH_LIMIT => return Err(TooDeep { field }),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    Ok(())
}

/// Skips the rest of a string, whose first quote was read.
fn skip_string(bytes: &mut impl Iterator<Item = u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            // The next one may be a quote.
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: String) -> Result<(), TooDeep> {
        let value = RawValue::from_string(json).expect("JSON");
        check_depth("message", &value)
    }

    #[test]
    fn value_has_up_to_a_hundred_levels() {
        let nested = |levels: usize, inner: &str| {
            format!("{}{inner}{}", "[".repeat(levels), "]".repeat(levels))
        };
        for accepted in [
            nested(0, "1"),
            nested(DEPTH_LIMIT, "1"),
            nested(DEPTH_LIMIT, r#""[{\"[\\""#),
            nested(1, &vec!["{}"; 200].join(",")),
        ] {
            assert_eq!(check(accepted.clone()), Ok(()), "{accepted}");
        }
        let in_objects = format!(r#"{{"a":{}}}"#, nested(DEPTH_LIMIT, "1"));
        for refused in [nested(DEPTH_LIMIT + 1, ""), in_objects] {
            assert_eq!(check(refused), Err(TooDeep { field: "message" }));
        }
    }

    /// The reason for the limit.
    #[test]
    fn deepest_message_is_decoded_by_the_weakest_decoder() {
        let decoded = |levels| {
            let json = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
            serde_json::from_str::<serde_json::Value>(&json).is_ok()
        };
        assert!(decoded(DEPTH_LIMIT));
        assert!(!decoded(128), "serde_json's limit is higher now");
    }
}
