//! The pause of a client between two polls, in milliseconds.
//!
//! The server keeps no state for a client that polls, so the client sends the pause that it was told last.

use super::{Ack, Refusal, Request};

/// The shortest pause: after a poll that had messages.
pub const SHORTEST_PAUSE: u64 = 2_000;

/// The longest pause.
pub const LONGEST_PAUSE: u64 = 15_000;

/// Returns the pause after a poll: none if further messages are waiting, the shortest if it had messages, and
/// otherwise twice the last one.
///
/// # Errors
///
/// Returns `bad_request` if the request's field `pollAfter` is not a whole number.
pub fn poll_after(request: &Request<'_>, ack: &Ack) -> Result<u64, Refusal> {
    let last = match request.raw("pollAfter") {
        None => None,
        Some(_) => Some(request.count("pollAfter", 0, usize::MAX)? as u64),
    };
    let entities = ack.entities.iter().flat_map(|entities| entities.values());
    let results = || entities.clone().chain(&ack.user).chain(&ack.everyone);
    if results().any(|result| result.log.more) {
        return Ok(0);
    }
    if results().any(|result| !result.log.messages.is_empty()) {
        return Ok(SHORTEST_PAUSE);
    }
    let doubled = last.map_or(SHORTEST_PAUSE, |last| last.saturating_mul(2));
    Ok(doubled.clamp(SHORTEST_PAUSE, LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::value::RawValue;

    use super::*;
    use crate::protocol::{EntityResult, LogReply};

    fn pause(request: &str, messages: usize, more: bool) -> Result<u64, String> {
        let frame = RawValue::from_string("{}".to_owned()).expect("JSON");
        let log = LogReply {
            messages: vec![frame; messages],
            more,
            ..LogReply::default()
        };
        let ack = Ack {
            entities: Some(BTreeMap::from([(
                "order-1".to_owned(),
                EntityResult {
                    log,
                    ..EntityResult::default()
                },
            )])),
            user: Some(EntityResult::default()),
            ..Ack::default()
        };
        let request = Request::parse(request).expect("an object");
        poll_after(&request, &ack).map_err(|refusal| refusal.message)
    }

    #[test]
    fn pause_doubles_until_messages_come() {
        for (request, messages, more, expected) in [
            ("{}", 0, false, 2_000),
            (r#"{"pollAfter":0}"#, 0, false, 2_000),
            (r#"{"pollAfter":2000}"#, 0, false, 4_000),
            (r#"{"pollAfter":8000}"#, 0, false, 15_000),
            (r#"{"pollAfter":15000}"#, 0, false, 15_000),
            (r#"{"pollAfter":18446744073709551615}"#, 0, false, 15_000),
            (r#"{"pollAfter":15000}"#, 1, false, 2_000),
            (r#"{"pollAfter":15000}"#, 1, true, 0),
        ] {
            assert_eq!(pause(request, messages, more), Ok(expected), "{request}");
        }
    }

    #[test]
    fn pause_that_is_no_whole_number_is_refused() {
        for request in [
            r#"{"pollAfter":"2"}"#,
            r#"{"pollAfter":-1}"#,
            r#"{"pollAfter":null}"#,
        ] {
            assert_eq!(
                pause(request, 0, false),
                Err("pollAfter must be a whole number of at least 0".to_owned())
            );
        }
    }
}
