//! The request `subscribe` for one entity or several.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{ErrorCode, LogReply, PresenceReply, Refusal, Request};
use crate::{
    ids::EntityId,
    log::{Budget, Position},
    store::ENTITIES_AT_ONCE,
};

/// A checked `subscribe`.
#[derive(Debug)]
pub enum Subscribe {
    /// The frame names one entity in `entityId`.
    One(EntityRequest),
    /// The frame names entities in `entities`, each with its own result.
    Several(BTreeMap<String, Result<EntityRequest, Refusal>>),
}

/// One entity of a `subscribe`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityRequest {
    /// The entity.
    pub entity: EntityId,
    /// The messages that the client wants besides the coming ones.
    pub start: StartRequest,
    /// True if the client wants to see the entity's members.
    pub presence: bool,
}

/// The place in an entity's log from which a client subscribes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartRequest {
    /// The end: only what is published from now on.
    Live,
    /// A position: `recover`.
    Recover(Position),
    /// So many messages before the end: `rewind`.
    Rewind(usize),
}

impl Subscribe {
    /// Reads the field `entityId` or `entities`: an object with an entity's id as each name and an object
    /// as each value.
    ///
    /// # Errors
    ///
    /// Returns `bad_request` if the frame has both fields or neither, or `entities` is not an object or
    /// is empty, and `too_many` if it has more than [`ENTITIES_AT_ONCE`] entities. An invalid entity is
    /// refused on its own.
    pub fn parse(request: &Request<'_>) -> Result<Self, Refusal> {
        let Some(entities) = request.raw("entities") else {
            return EntityRequest::read(request.entity_id()?, request).map(Self::One);
        };
        if request.raw("entityId").is_some() {
            return Err(Refusal::bad_request(
                "entityId and entities exclude each other: send one of them",
            ));
        }
        let entities: BTreeMap<String, &RawValue> =
            serde_json::from_str(entities.get()).map_err(|_| {
                Refusal::bad_request("entities must be an object with an entity's id as each name")
            })?;
        match entities.len() {
            0 => Err(Refusal::bad_request(
                "entities is empty: send at least one entity",
            )),
            1..=ENTITIES_AT_ONCE => Ok(Self::Several(checked(entities))),
            length => Err(Refusal::new(
                ErrorCode::TooMany,
                format!(
                    "entities has {length} entities, the limit is {ENTITIES_AT_ONCE}: send the others in \
                     another frame"
                ),
            )),
        }
    }
}

fn checked(
    entities: BTreeMap<String, &RawValue>,
) -> BTreeMap<String, Result<EntityRequest, Refusal>> {
    let check = |(id, options): (String, &RawValue)| {
        let checked = entity_id(&id).and_then(|entity| {
            let options = Request::parse(options.get()).map_err(|_| {
                Refusal::bad_request("the value of an entity must be an object, e.g. {}")
            })?;
            EntityRequest::read(entity, &options)
        });
        (id, checked)
    };
    entities.into_iter().map(check).collect()
}

/// Returns the entity that a name in `entities` stands for.
pub(super) fn entity_id(name: &str) -> Result<EntityId, Refusal> {
    EntityId::new(name).map_err(|error| Refusal::bad_request(format!("the entity's id {error}")))
}

impl EntityRequest {
    fn read(entity: EntityId, options: &Request<'_>) -> Result<Self, Refusal> {
        let start = match (options.position("recover")?, options.raw("rewind")) {
            (Some(_), Some(_)) => {
                return Err(Refusal::bad_request(
                    "recover and rewind exclude each other: send one of them",
                ));
            }
            (Some(position), None) => StartRequest::Recover(position),
            (None, Some(_)) => {
                StartRequest::Rewind(options.count("rewind", 1, Budget::REPLY.messages)?)
            }
            (None, None) => StartRequest::Live,
        };
        Ok(Self {
            entity,
            start,
            presence: options.is_true("presence")?,
        })
    }
}

/// The result for one entity of a request that names several.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EntityResult {
    /// The reason the entity was refused. `None` if the request succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<EntityError>,
    /// The answer of the entity's log.
    #[serde(flatten)]
    pub log: LogReply,
    /// The entity's members, if the client asked for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence: Option<PresenceReply>,
}

/// The refusal of one entity, or of one published message.
#[derive(Clone, Debug, Serialize)]
pub struct EntityError {
    /// The code.
    pub code: ErrorCode,
    /// The mistake and how to correct it.
    pub message: String,
    /// True if the same request may succeed later.
    pub retryable: bool,
}

impl From<Result<LogReply, Refusal>> for EntityResult {
    fn from(result: Result<LogReply, Refusal>) -> Self {
        match result {
            Ok(log) => Self {
                log,
                ..Self::default()
            },
            Err(refusal) => Self {
                error: Some(refusal.into()),
                ..Self::default()
            },
        }
    }
}

impl From<Refusal> for EntityError {
    fn from(refusal: Refusal) -> Self {
        Self {
            retryable: refusal.code.retryable(),
            code: refusal.code,
            message: refusal.message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Epoch;

    fn parse(text: &str) -> Result<Subscribe, Refusal> {
        Subscribe::parse(&Request::parse(text).expect("an object"))
    }

    #[test]
    fn entities_are_checked_independently() {
        let text =
            r#"{"entities":{"order-1":{},"order-2":{"later":1},"":{},"room-1":5,"order-1":{},"#
                .to_owned()
                + r#""a":{"recover":{"epoch":"k3J9x2Qa","offset":41}},"b":{"recover":{"offset":0}},"#
                + r#""c":{"rewind":20},"d":{"rewind":0},"e":{"rewind":1,"recover":{"offset":0}},"#
                + r#""f":{"recover":{"epoch":"short","offset":1}},"g":{"recover":7}}}"#;
        let Ok(Subscribe::Several(entities)) = parse(&text) else {
            panic!("{text}")
        };
        let results: Vec<_> = entities
            .into_iter()
            .map(|(id, checked)| (id, checked.map_err(|refusal| refusal.message)))
            .collect();
        let entity = |text: &str, start| {
            let entity = EntityId::new(text).expect("an id");
            Ok(EntityRequest {
                entity,
                start,
                presence: false,
            })
        };
        let id = |text: &str| entity(text, StartRequest::Live);
        let position = "must be a position, e.g. {\"epoch\":\"k3J9x2Qa\",\"offset\":42}";
        let epoch = Epoch::new("k3J9x2Qa").expect("an epoch");
        assert_eq!(
            results,
            [
                (
                    String::new(),
                    Err("the entity's id must not be empty".to_owned())
                ),
                (
                    "a".to_owned(),
                    entity("a", StartRequest::Recover(Position::after(epoch, 41)))
                ),
                (
                    "b".to_owned(),
                    entity("b", StartRequest::Recover(Position::START))
                ),
                ("c".to_owned(), entity("c", StartRequest::Rewind(20))),
                (
                    "d".to_owned(),
                    Err("rewind must be a whole number from 1 to 300".to_owned())
                ),
                (
                    "e".to_owned(),
                    Err("recover and rewind exclude each other: send one of them".to_owned())
                ),
                ("f".to_owned(), Err(format!("recover {position}"))),
                ("g".to_owned(), Err(format!("recover {position}"))),
                ("order-1".to_owned(), id("order-1")),
                ("order-2".to_owned(), id("order-2")),
                (
                    "room-1".to_owned(),
                    Err("the value of an entity must be an object, e.g. {}".to_owned())
                ),
            ]
        );
    }

    #[test]
    fn frame_without_valid_entities_is_refused_whole() {
        let many: Vec<_> = (0..101)
            .map(|number| format!(r#""{number}":{{}}"#))
            .collect();
        let many = format!(r#"{{"entities":{{{}}}}}"#, many.join(","));
        for (text, code, message) in [
            (
                "{}",
                ErrorCode::BadRequest,
                "entityId is missing: send the entity's id",
            ),
            (
                r#"{"entityId":"a","entities":{"b":{}}}"#,
                ErrorCode::BadRequest,
                "entityId and entities exclude each other: send one of them",
            ),
            (
                r#"{"entities":["a"]}"#,
                ErrorCode::BadRequest,
                "entities must be an object with an entity's id as each name",
            ),
            (
                r#"{"entities":null}"#,
                ErrorCode::BadRequest,
                "entities must be an object with an entity's id as each name",
            ),
            (
                r#"{"entities":{}}"#,
                ErrorCode::BadRequest,
                "entities is empty: send at least one entity",
            ),
            (
                &many,
                ErrorCode::TooMany,
                "entities has 101 entities, the limit is 100: send the others in another frame",
            ),
        ] {
            let refusal = parse(text).expect_err(text);
            assert_eq!((refusal.code, refusal.message.as_str()), (code, message));
        }
    }
}
