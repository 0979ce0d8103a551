//! The request `subscribe` for one entity or several.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{ErrorCode, Refusal, Request};
use crate::{ids::EntityId, store::ENTITIES_AT_ONCE};

/// A checked `subscribe`.
#[derive(Debug)]
pub enum Subscribe {
    /// The frame names one entity in `entityId`.
    One(EntityId),
    /// The frame names entities in `entities`, each with its own result.
    Several(BTreeMap<String, Result<EntityId, Refusal>>),
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
            return request.entity_id().map(Self::One);
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

fn checked(entities: BTreeMap<String, &RawValue>) -> BTreeMap<String, Result<EntityId, Refusal>> {
    let check = |(id, options): (String, &RawValue)| {
        let checked = match options.get().starts_with('{') {
            true => EntityId::new(id.clone())
                .map_err(|error| Refusal::bad_request(format!("the entity's id {error}"))),
            false => Err(Refusal::bad_request(
                "the value of an entity must be an object, e.g. {}",
            )),
        };
        (id, checked)
    };
    entities.into_iter().map(check).collect()
}

/// The result for one entity of a `subscribe` to several.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct EntityResult {
    /// The reason the subscription was refused. `None` if it is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<EntityError>,
}

/// The refusal of one entity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EntityError {
    /// The code.
    pub code: ErrorCode,
    /// The mistake and how to correct it.
    pub message: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

impl From<Result<(), Refusal>> for EntityResult {
    fn from(result: Result<(), Refusal>) -> Self {
        let error = result.err().map(|refusal| EntityError {
            code: refusal.code,
            message: refusal.message,
            retryable: refusal.code.retryable(),
        });
        Self { error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Subscribe, Refusal> {
        Subscribe::parse(&Request::parse(text).expect("an object"))
    }

    #[test]
    fn entities_are_checked_independently() {
        let text =
            r#"{"entities":{"order-1":{},"order-2":{"later":1},"":{},"room-1":5,"order-1":{}}}"#;
        let Ok(Subscribe::Several(entities)) = parse(text) else {
            panic!("{text}")
        };
        let results: Vec<_> = entities
            .into_iter()
            .map(|(id, checked)| (id, checked.map_err(|refusal| refusal.message)))
            .collect();
        let id = |text: &str| Ok(EntityId::new(text).expect("an id"));
        assert_eq!(
            results,
            [
                (
                    String::new(),
                    Err("the entity's id must not be empty".to_owned())
                ),
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
