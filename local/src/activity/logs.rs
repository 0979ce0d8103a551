//! Positions and recoveries in the logs of audiences, as frames, requests and replies have them.
//!
//! Texts are parsed leniently: one that is not understood has none.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A position in a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// `None` before the first message of the log.
    #[serde(default)]
    pub(crate) epoch: Option<String>,
    pub(crate) offset: u64,
}

/// The position of a pushed frame in the log of its audience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FramePosition {
    /// The audience: `entity#<entityId>`, `user` or `everyone`.
    pub(crate) log: String,
    #[serde(flatten)]
    pub(crate) position: Position,
}

/// The answer of a log to a client that asked for what it missed, or for a part of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Recovery {
    /// The audience: `entity#<entityId>`, `user` or `everyone`.
    pub(crate) log: String,
    /// The client's position. `None` if it asked for the last messages, or for those before an offset.
    pub(crate) since: Option<Position>,
    /// True if the client has every message, false if some are lost. `None` without `since`.
    pub(crate) recovered: Option<bool>,
    /// The number of messages in the reply.
    pub(crate) messages: usize,
    /// The position after them. `None` if the audience has no log.
    pub(crate) position: Option<Position>,
    /// True if the reply had no room for further messages.
    pub(crate) more: bool,
}

/// Returns the position of a pushed frame; `None` if its audience has no log.
pub(crate) fn of_frame(frame: &str) -> Option<FramePosition> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Frame {
        r#type: String,
        entity_id: Option<String>,
        epoch: String,
        offset: u64,
    }
    let frame: Frame = serde_json::from_str(frame).ok()?;
    let log = match frame.entity_id {
        Some(entity) => entity_log(&entity),
        None if frame.r#type == "User Push Notification" => USER.to_owned(),
        None => EVERYONE.to_owned(),
    };
    let position = Position {
        epoch: Some(frame.epoch),
        offset: frame.offset,
    };
    Some(FramePosition { log, position })
}

/// Returns the recoveries in the reply to a request.
pub(crate) fn of_request(request: &str, reply: &str) -> Vec<Recovery> {
    let parsed = |text| serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default();
    // Most requests are no recovery, and their replies may be long.
    let request = parsed(request);
    let action = request.get("action").and_then(Value::as_str);
    if !matches!(action, Some("subscribe" | "sync" | "history")) {
        return Vec::new();
    }
    let reply = parsed(reply);
    if reply.get("type").and_then(Value::as_str) != Some("ack") {
        return Vec::new();
    }
    match action {
        Some("sync") => of_sync(&request, &reply),
        Some("history") => recovery(log_of(&request), request.get("since"), &reply)
            .into_iter()
            .collect(),
        _ => of_subscribe(&request, &reply),
    }
}

fn of_subscribe(request: &Map<String, Value>, reply: &Map<String, Value>) -> Vec<Recovery> {
    let one = request.get("entityId").and_then(Value::as_str);
    let several = object(request, "entities");
    let results = object(reply, "entities");
    let one = one.map(|entity| (entity, request, Some(reply)));
    let several = several.into_iter().flatten().filter_map(|(entity, start)| {
        let result = results.and_then(|results| results.get(entity)?.as_object());
        Some((entity.as_str(), start.as_object()?, result))
    });
    one.into_iter()
        .chain(several)
        .filter(|(_, start, _)| start.contains_key("recover") || start.contains_key("rewind"))
        .filter_map(|(entity, start, result)| {
            recovery(entity_log(entity), start.get("recover"), result?)
        })
        .collect()
}

fn of_sync(request: &Map<String, Value>, reply: &Map<String, Value>) -> Vec<Recovery> {
    let positions = object(request, "entities");
    let results = object(reply, "entities").into_iter().flatten();
    let entities = results.map(|(entity, result)| {
        let since = positions.and_then(|positions| positions.get(entity));
        (entity_log(entity), since, Some(result))
    });
    let others = [USER, EVERYONE].map(|log| (log.to_owned(), request.get(log), reply.get(log)));
    entities
        .chain(others)
        // Without an offset, the client asked for the present position.
        .filter(|(_, since, _)| since.is_some_and(|since| since.get("offset").is_some()))
        .filter_map(|(log, since, result)| recovery(log, since, result?.as_object()?))
        .collect()
}

/// Reads the answer of a log. `None` if it is an error.
fn recovery(log: String, since: Option<&Value>, result: &Map<String, Value>) -> Option<Recovery> {
    if result.contains_key("error") {
        return None;
    }
    let read = |value: &Value| Position::deserialize(value).ok();
    Some(Recovery {
        log,
        since: since.and_then(read),
        recovered: result.get("recovered").and_then(Value::as_bool),
        messages: result
            .get("messages")
            .and_then(Value::as_array)
            .map_or(0, Vec::len),
        position: Position::deserialize(result).ok(),
        more: result.get("more").and_then(Value::as_bool).unwrap_or(false),
    })
}

/// Returns the log that a `history` names.
fn log_of(request: &Map<String, Value>) -> String {
    match request.get("entityId").and_then(Value::as_str) {
        Some(entity) => entity_log(entity),
        None if request.get(USER).and_then(Value::as_bool) == Some(true) => USER.to_owned(),
        None => EVERYONE.to_owned(),
    }
}

fn object<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    fields.get(name)?.as_object()
}

fn entity_log(entity: &str) -> String {
    format!("entity#{entity}")
}

const USER: &str = "user";
const EVERYONE: &str = "everyone";

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> Option<Position> {
        let epoch = Some("k3J9x2Qa".to_owned());
        Some(Position { epoch, offset })
    }

    #[test]
    fn frame_of_an_audience_with_a_log_has_its_position() {
        for (frame, log) in [
            (
                r#"{"type":"Entity Updated","entityId":"a","epoch":"k3J9x2Qa","offset":7}"#,
                Some("entity#a"),
            ),
            (
                r#"{"type":"message","entityId":"a","epoch":"k3J9x2Qa","offset":7}"#,
                Some("entity#a"),
            ),
            (
                r#"{"type":"User Push Notification","epoch":"k3J9x2Qa","offset":7}"#,
                Some("user"),
            ),
            (
                r#"{"type":"Broadcast","epoch":"k3J9x2Qa","offset":7}"#,
                Some("everyone"),
            ),
            (
                r#"{"type":"Broadcast","message":{"epoch":"k3J9x2Qa","offset":7}}"#,
                None,
            ),
            (r#"{"type":"Broadcast","epoch":7,"offset":"x"}"#, None),
            ("not JSON", None),
        ] {
            let found = of_frame(frame);
            assert_eq!(found.as_ref().map(|found| &*found.log), log, "{frame}");
            assert_eq!(
                found.map(|found| found.position),
                log.and_then(|_| at(7)),
                "{frame}"
            );
        }
    }

    #[test]
    fn request_for_missed_messages_has_its_recoveries() {
        let since = r#"{"epoch":"k3J9x2Qa","offset":5}"#;
        let recovered =
            r#""epoch":"k3J9x2Qa","offset":7,"top":7,"recovered":true,"messages":[{},{}]"#;
        let expected = |log: &str| Recovery {
            log: log.to_owned(),
            since: at(5),
            recovered: Some(true),
            messages: 2,
            position: at(7),
            more: false,
        };
        for (request, reply, recoveries) in [
            (
                format!(r#"{{"action":"subscribe","entityId":"a","recover":{since}}}"#),
                format!(r#"{{"type":"ack","action":"subscribe","entityId":"a",{recovered}}}"#),
                vec![expected("entity#a")],
            ),
            (
                format!(
                    r#"{{"action":"subscribe","entities":{{"a":{{"recover":{since}}},"b":{{}},"c":{{"rewind":2}}}}}}"#
                ),
                format!(
                    r#"{{"type":"ack","entities":{{"a":{{{recovered}}},"b":{{"offset":0}},"c":{{"error":{{}}}}}}}}"#
                ),
                vec![expected("entity#a")],
            ),
            (
                r#"{"action":"subscribe","entityId":"a","rewind":2}"#.to_owned(),
                r#"{"type":"ack","epoch":"k3J9x2Qa","offset":7,"messages":[1,2],"more":true}"#
                    .to_owned(),
                vec![Recovery {
                    since: None,
                    recovered: None,
                    more: true,
                    ..expected("entity#a")
                }],
            ),
            (
                format!(
                    r#"{{"action":"sync","entities":{{"a":{since},"b":{since}}},"user":{since},"everyone":{{}}}}"#
                ),
                format!(
                    r#"{{"type":"ack","entities":{{"a":{{{recovered}}}}},"user":{{"offset":0,"recovered":false}},
                        "everyone":{{"epoch":"k3J9x2Qa","offset":9}}}}"#
                ),
                vec![
                    expected("entity#a"),
                    Recovery {
                        recovered: Some(false),
                        messages: 0,
                        position: Some(Position {
                            epoch: None,
                            offset: 0,
                        }),
                        ..expected("user")
                    },
                ],
            ),
            (
                format!(r#"{{"action":"history","everyone":true,"since":{since}}}"#),
                format!(r#"{{"type":"ack",{recovered}}}"#),
                vec![expected("everyone")],
            ),
            (
                r#"{"action":"subscribe","entityId":"a"}"#.to_owned(),
                r#"{"type":"ack","offset":0,"top":0}"#.to_owned(),
                vec![],
            ),
            (
                format!(r#"{{"action":"subscribe","entityId":"a","recover":{since}}}"#),
                r#"{"type":"error","code":"forbidden"}"#.to_owned(),
                vec![],
            ),
            ("hello".to_owned(), "hello".to_owned(), vec![]),
        ] {
            assert_eq!(of_request(&request, &reply), recoveries, "{request}");
        }
    }
}
