//! The request `sync`: the client's positions in its logs.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{ErrorCode, Refusal, Request, subscribe::entity_id};
use crate::{ids::EntityId, log::Position, store::ENTITIES_AT_ONCE};

/// The positions in the logs of entities by their names in the frame, each checked independently.
pub type KnownEntities = BTreeMap<String, Result<(EntityId, Known), Refusal>>;

/// A checked `sync`.
#[derive(Debug, Default)]
pub struct SyncRequest {
    /// The positions in the logs of entities.
    pub entities: KnownEntities,
    /// The position in the log of the connection's user.
    pub user: Option<Known>,
    /// The position in the log of everyone.
    pub everyone: Option<Known>,
}

/// The client's position in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// The client has none yet, and asks for the present one: `{}`.
    Nothing,
    /// The client has every message up to here.
    Position(Position),
}

impl SyncRequest {
    /// Reads the fields `entities`, `user` and `everyone`.
    ///
    /// # Errors
    ///
    /// Returns `bad_request` if none of them is present or one is not of its form, and `too_many` if
    /// `entities` has more than [`ENTITIES_AT_ONCE`] entities. An invalid entity or position in `entities`
    /// is refused on its own.
    pub fn parse(request: &Request<'_>) -> Result<Self, Refusal> {
        let sync = Self {
            entities: entities(request)?,
            user: known(request, "user")?,
            everyone: known(request, "everyone")?,
        };
        if sync.is_empty() {
            return Err(Refusal::bad_request(
                "the frame names no log: send positions in entities, user or everyone",
            ));
        }
        Ok(sync)
    }

    /// Returns the number of logs.
    pub fn len(&self) -> usize {
        self.entities.len()
            + usize::from(self.user.is_some())
            + usize::from(self.everyone.is_some())
    }

    /// Returns whether no log is named.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn entities(request: &Request<'_>) -> Result<KnownEntities, Refusal> {
    let Some(entities) = request.raw("entities") else {
        return Ok(BTreeMap::new());
    };
    let entities: BTreeMap<String, &RawValue> =
        serde_json::from_str(entities.get()).map_err(|_| {
            Refusal::bad_request("entities must be an object with an entity's id as each name")
        })?;
    if entities.len() > ENTITIES_AT_ONCE {
        let length = entities.len();
        return Err(Refusal::new(
            ErrorCode::TooMany,
            format!(
                "entities has {length} entities, the limit is {ENTITIES_AT_ONCE}: send the others in \
                 another frame"
            ),
        ));
    }
    let check = |(name, position): (String, &RawValue)| {
        let checked = entity_id(&name).and_then(|entity| {
            let known = Known::read(position)
                .ok_or_else(|| Refusal::bad_position("the value of an entity"))?;
            Ok((entity, known))
        });
        (name, checked)
    };
    Ok(entities.into_iter().map(check).collect())
}

fn known(request: &Request<'_>, field: &str) -> Result<Option<Known>, Refusal> {
    let Some(position) = request.raw(field) else {
        return Ok(None);
    };
    let known = Known::read(position).ok_or_else(|| Refusal::bad_position(field))?;
    Ok(Some(known))
}

impl Known {
    /// Reads `{}` or a position. `None` if the JSON is neither.
    fn read(json: &RawValue) -> Option<Self> {
        let empty = serde_json::from_str::<BTreeMap<String, &RawValue>>(json.get()).ok()?;
        if empty.is_empty() {
            return Some(Self::Nothing);
        }
        serde_json::from_str(json.get()).ok().map(Self::Position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Epoch;

    fn parse(text: &str) -> Result<SyncRequest, String> {
        let request = Request::parse(text).expect("an object");
        SyncRequest::parse(&request).map_err(|refusal| refusal.message)
    }

    #[test]
    fn positions_are_checked_independently() {
        let sync = parse(
            r#"{"entities":{"a":{"epoch":"k3J9x2Qa","offset":43},"b":{},"":{},"c":7},"user":{"offset":0}}"#,
        );
        let sync = sync.expect("a request");
        let position = Position::after(Epoch::new("k3J9x2Qa").expect("an epoch"), 43);
        let id = |text| EntityId::new(text).expect("an id");
        let entities: Vec<_> = sync
            .entities
            .into_values()
            .map(|checked| checked.map_err(|refusal| refusal.message))
            .collect();
        let malformed = "the value of an entity must be a position, e.g. {\"epoch\":\"k3J9x2Qa\",\"offset\":42}";
        assert_eq!(
            entities,
            [
                Err("the entity's id must not be empty".to_owned()),
                Ok((id("a"), Known::Position(position))),
                Ok((id("b"), Known::Nothing)),
                Err(malformed.to_owned()),
            ]
        );
        assert_eq!(sync.user, Some(Known::Position(Position::START)));
        assert_eq!(sync.everyone, None);
    }

    #[test]
    fn sync_without_logs_is_refused_whole() {
        for (text, message) in [
            (
                "{}",
                "the frame names no log: send positions in entities, user or everyone",
            ),
            (
                r#"{"entities":["a"]}"#,
                "entities must be an object with an entity's id as each name",
            ),
            (
                r#"{"everyone":true}"#,
                "everyone must be a position, e.g. {\"epoch\":\"k3J9x2Qa\",\"offset\":42}",
            ),
        ] {
            assert_eq!(parse(text).expect_err(text), message);
        }
    }
}
