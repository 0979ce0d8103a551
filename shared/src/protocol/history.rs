//! The request `history`: messages of one log.

use super::{Refusal, Request};
use crate::{
    ids::{EntityId, InvalidId},
    log::{Budget, Selection},
};

/// A checked `history`.
#[derive(Debug, PartialEq, Eq)]
pub struct HistoryRequest {
    /// The log.
    pub log: LogName,
    /// The messages of the log.
    pub selection: Selection,
    /// The maximum number of messages in the reply.
    pub limit: usize,
}

/// A log as a client names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogName {
    /// That of an entity: `entityId`.
    Entity(EntityId),
    /// That of the connection's own user: `"user": true`.
    User,
    /// That of everyone: `"everyone": true`.
    Everyone,
}

impl From<EntityId> for LogName {
    fn from(entity: EntityId) -> Self {
        Self::Entity(entity)
    }
}

impl From<&EntityId> for LogName {
    fn from(entity: &EntityId) -> Self {
        Self::Entity(entity.clone())
    }
}

impl TryFrom<&str> for LogName {
    type Error = InvalidId;

    fn try_from(entity: &str) -> Result<Self, InvalidId> {
        EntityId::new(entity).map(Self::Entity)
    }
}

impl TryFrom<String> for LogName {
    type Error = InvalidId;

    fn try_from(entity: String) -> Result<Self, InvalidId> {
        EntityId::new(entity).map(Self::Entity)
    }
}

impl HistoryRequest {
    /// Reads `entityId`, `user` or `everyone`, and `since`, `last` or `before`, with an optional `limit`
    /// beside `since` and `before`.
    ///
    /// # Errors
    ///
    /// Returns `bad_request` if a field is missing, invalid or excludes another.
    pub fn parse(request: &Request<'_>) -> Result<Self, Refusal> {
        let log = log_name(request)?;
        let most = Budget::REPLY.messages;
        let limit = match request.raw("limit") {
            Some(_) => request.count("limit", 1, most)?,
            None => most,
        };
        let since = request.position("since")?.map(Selection::Since);
        let last = request
            .raw("last")
            .map(|_| request.count("last", 0, most).map(Selection::Last));
        let before = request.raw("before").map(|_| {
            let offset = request.count("before", 1, usize::MAX)?;
            Ok(Selection::Before(offset as u64, limit))
        });
        let selections = [since.map(Ok), last, before];
        let mut selections = selections.into_iter().flatten();
        match (selections.next(), selections.next()) {
            (Some(selection), None) => Ok(Self {
                log,
                selection: selection?,
                limit,
            }),
            _ => Err(Refusal::bad_request(
                "send exactly one of since, a position; last, a number of messages; and before, an offset",
            )),
        }
    }
}

fn log_name(request: &Request<'_>) -> Result<LogName, Refusal> {
    let entity = request.optional_entity_id()?;
    match (
        entity,
        request.is_true("user")?,
        request.is_true("everyone")?,
    ) {
        (Some(entity), false, false) => Ok(LogName::Entity(entity)),
        (None, true, false) => Ok(LogName::User),
        (None, false, true) => Ok(LogName::Everyone),
        _ => Err(Refusal::bad_request(
            "send exactly one of entityId, \"user\": true and \"everyone\": true",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Epoch, Position};

    fn parse(text: &str) -> Result<HistoryRequest, String> {
        let request = Request::parse(text).expect("an object");
        HistoryRequest::parse(&request).map_err(|refusal| refusal.message)
    }

    #[test]
    fn history_names_one_log_and_one_selection() {
        let room = LogName::Entity(EntityId::new("room-1").expect("an id"));
        let position = Position::after(Epoch::new("k3J9x2Qa").expect("an epoch"), 100);
        for (text, log, selection, limit) in [
            (
                r#"{"entityId":"room-1","since":{"epoch":"k3J9x2Qa","offset":100},"limit":50}"#,
                room.clone(),
                Selection::Since(position),
                50,
            ),
            (
                r#"{"user":true,"last":0}"#,
                LogName::User,
                Selection::Last(0),
                300,
            ),
            (
                r#"{"everyone":true,"before":190,"limit":10,"user":false}"#,
                LogName::Everyone,
                Selection::Before(190, 10),
                10,
            ),
        ] {
            let expected = HistoryRequest {
                log,
                selection,
                limit,
            };
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn invalid_history_is_refused_with_message() {
        let log = "send exactly one of entityId, \"user\": true and \"everyone\": true";
        let selection = "send exactly one of since, a position; last, a number of messages; and before, an offset";
        for (text, message) in [
            (r#"{"last":5}"#, log),
            (r#"{"entityId":"a","user":true,"last":5}"#, log),
            (r#"{"entityId":"a"}"#, selection),
            (r#"{"entityId":"a","last":5,"before":7}"#, selection),
            (
                r#"{"entityId":"a","last":301}"#,
                "last must be a whole number from 0 to 300",
            ),
            (
                r#"{"entityId":"a","before":0}"#,
                "before must be a whole number of at least 1",
            ),
            (
                r#"{"entityId":"a","since":{"offset":1},"limit":0}"#,
                "limit must be a whole number from 1 to 300",
            ),
            (r#"{"user":"me","last":1}"#, "user must be true or false"),
        ] {
            assert_eq!(parse(text), Err(message.to_owned()), "{text}");
        }
    }
}
