//! Frames that say where they are in their log.

use serde_json::value::RawValue;

use super::Epoch;

/// The most bytes that a position adds to a frame: `,"epoch":"k3J9x2Qa","offset":` and 20 digits. A frame that
/// is to be numbered must leave room for them below the gateway's limit.
pub const POSITION_BYTES: usize = 29 + 20;

/// Returns the frame, a JSON object, with the fields `epoch` and `offset` at its end.
pub(super) fn numbered(frame: &RawValue, epoch: &Epoch, offset: u64) -> Box<RawValue> {
    let text = frame.get().trim_end();
    let fields = text.strip_suffix('}').unwrap_or(text);
    let separator = match fields.trim_end().ends_with('{') {
        true => "",
        false => ",",
    };
    let text = format!(r#"{fields}{separator}"epoch":"{epoch}","offset":{offset}}}"#);
    RawValue::from_string(text).expect("an object with two more fields is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_is_added_to_the_frame() {
        let epoch = Epoch::new("k3J9x2Qa").expect("an epoch");
        for (frame, expected) in [
            ("{}", r#"{"epoch":"k3J9x2Qa","offset":42}"#),
            ("{ } ", r#"{ "epoch":"k3J9x2Qa","offset":42}"#),
            (
                r#"{"type":"Entity Updated","message":{"a":"}"}}"#,
                r#"{"type":"Entity Updated","message":{"a":"}"},"epoch":"k3J9x2Qa","offset":42}"#,
            ),
        ] {
            let frame = RawValue::from_string(frame.to_owned()).expect("JSON");
            assert_eq!(numbered(&frame, &epoch, 42).get(), expected);
        }
    }

    #[test]
    fn position_adds_a_bounded_number_of_bytes() {
        let epoch = Epoch::new("k3J9x2Qa").expect("an epoch");
        let frame = RawValue::from_string(r#"{"a":1}"#.to_owned()).expect("JSON");
        let longest = numbered(&frame, &epoch, u64::MAX);
        assert_eq!(longest.get().len() - frame.get().len(), POSITION_BYTES);
    }
}
