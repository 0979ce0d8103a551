//! A dead letter within the limits of SQS.

use std::borrow::Cow;

use serde_json::json;

use super::{MESSAGE_BYTES, REASON};
use crate::push::escape_noncharacters;

/// The data type of the reason.
pub(super) const DATA_TYPE: &str = "String";

/// The maximum length of a reason in characters, because it may quote what a client sent.
const REASON_CHARACTERS: usize = 1000;

/// The number of bytes that a reason keeps beside a large body.
const SHORT_REASON: usize = 500;

/// The number of bytes that are kept of a body that leaves no room for its reason.
const BEGINNING: usize = 64 * 1024;

/// The body and the reason of a dead letter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Letter<'a> {
    pub(super) body: Cow<'a, str>,
    pub(super) reason: String,
}

impl<'a> Letter<'a> {
    /// Returns the letter. A body that leaves too little room for the reason is reduced to its
    /// beginning.
    pub(super) fn new(body: &'a str, reason: &str) -> Self {
        let reason = attribute_text(reason);
        let room = MESSAGE_BYTES - REASON.len() - DATA_TYPE.len();
        let for_reason = room.saturating_sub(body.len());
        if reason.len().min(SHORT_REASON) <= for_reason {
            return Self {
                body: body.into(),
                reason: beginning(&reason, for_reason).to_owned(),
            };
        }
        Self {
            body: reduced(body).into(),
            reason,
        }
    }
}

/// Returns the replacement of a body that is too large. It is not a push, so a replay returns it to the
/// dead-letter queue.
fn reduced(body: &str) -> String {
    let reduced = json!({
        "reduced": { "bytes": body.len(), "beginning": beginning(body, BEGINNING) },
    });
    escape_noncharacters(reduced.to_string())
}

/// Returns the longest beginning of a text that fits into `bytes`.
fn beginning(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// Returns a reason without the characters that SQS refuses.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
fn attribute_text(reason: &str) -> String {
    let refused =
        |character: char| character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}');
    let text = reason.replace(refused, " ");
    text.chars().take(REASON_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(letter: &Letter<'_>) -> usize {
        letter.body.len() + REASON.len() + DATA_TYPE.len() + letter.reason.len()
    }

    #[test]
    fn reason_has_no_characters_that_sqs_refuses() {
        assert_eq!(
            attribute_text("unknown field `\u{0}\n\u{85}\u{fffe}\u{ffff}é🎉`"),
            "unknown field `     é🎉`"
        );
        assert_eq!(attribute_text(&"é".repeat(1001)), "é".repeat(1000));
    }

    #[test]
    fn reason_is_cut_beside_a_large_body() {
        let reason = "é".repeat(1000);
        for room in [500, 501, 1999] {
            let body = "x".repeat(MESSAGE_BYTES - REASON.len() - DATA_TYPE.len() - room);
            let letter = Letter::new(&body, &reason);
            assert_eq!(letter.body.len(), body.len(), "{room}");
            assert_eq!(letter.reason.len(), room - room % 2, "{room}");
            assert!(size(&letter) <= MESSAGE_BYTES);
        }
    }

    #[test]
    fn body_without_room_for_a_reason_is_reduced_to_its_beginning() {
        for length in [MESSAGE_BYTES - 100, MESSAGE_BYTES, 2 * MESSAGE_BYTES] {
            let body = "\"".repeat(length);
            let letter = Letter::new(&body, &"é".repeat(1000));
            assert_eq!(letter.reason, "é".repeat(1000));
            assert!(size(&letter) <= MESSAGE_BYTES);
            let read: serde_json::Value = serde_json::from_str(&letter.body).expect("JSON");
            assert_eq!(read["reduced"]["bytes"], length);
            assert_eq!(read["reduced"]["beginning"], "\"".repeat(BEGINNING));
        }
    }

    #[test]
    fn short_reason_stays_whole_beside_a_body_that_leaves_just_enough_room() {
        let reason = "r".repeat(100);
        let body = "x".repeat(MESSAGE_BYTES - REASON.len() - DATA_TYPE.len() - 100);
        let letter = Letter::new(&body, &reason);
        assert_eq!((&*letter.body, &letter.reason), (body.as_str(), &reason));
        assert_eq!(size(&letter), MESSAGE_BYTES);
    }
}
