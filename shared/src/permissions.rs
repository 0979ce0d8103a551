//! What a user may do: which entities they may subscribe to and publish to.
//!
//! Permissions come from a token's claim `herald`, travel in the authorizer's context as JSON text, and
//! are asked by the functions that need them. Nothing is looked up.

mod pattern;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use pattern::{EntityPattern, InvalidPattern};

use crate::ids::EntityId;

/// Something that may be done with the entities of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Permission {
    /// Get what concerns the entity.
    Subscribe,
    /// Send messages to the entity's subscribers.
    Publish,
    /// Send messages to every connection. It is about no entity, so only `**` can have it.
    Broadcast,
}

/// Which permissions are given for which entities; what no pattern gives is forbidden.
///
/// As JSON an object from entity pattern to a list of permissions:
/// `{"order:*":["subscribe"],"room:**":["subscribe","publish"]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Grants", into = "Grants")]
pub struct Permissions {
    grants: Grants,
}

type Grants = BTreeMap<EntityPattern, BTreeSet<Permission>>;

/// Why a text is no [`Permissions`].
#[derive(Debug, thiserror::Error)]
#[error("permissions must be an object from entity pattern to a list of permissions")]
pub struct InvalidPermissions(#[from] serde_json::Error);

/// A pattern other than `**` gives the permission to broadcast.
#[derive(Debug, thiserror::Error)]
#[error("broadcast is about no entity: give it under the pattern **, not under {0:?}")]
pub struct MisplacedBroadcast(String);

impl Permissions {
    /// Nothing is allowed.
    pub fn none() -> Self {
        Self::default()
    }

    /// Everything is allowed, broadcasts included.
    pub fn everything() -> Self {
        let all = [
            Permission::Subscribe,
            Permission::Publish,
            Permission::Broadcast,
        ];
        Self {
            grants: Grants::from([(EntityPattern::everything(), all.into())]),
        }
    }

    /// Reads the JSON object.
    pub fn from_json(text: &str) -> Result<Self, InvalidPermissions> {
        Ok(serde_json::from_str(text)?)
    }

    /// The JSON object, the same text for the same permissions.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("permissions are always JSON")
    }

    /// Whether a connection may subscribe to the entity.
    pub fn may_subscribe(&self, entity: &EntityId) -> bool {
        self.gives(Permission::Subscribe, entity)
    }

    /// Whether a connection may send messages to the entity's subscribers.
    pub fn may_publish(&self, entity: &EntityId) -> bool {
        self.gives(Permission::Publish, entity)
    }

    /// Whether a connection may send messages to every other connection.
    pub fn may_broadcast(&self) -> bool {
        self.grants
            .values()
            .any(|permissions| permissions.contains(&Permission::Broadcast))
    }

    fn gives(&self, permission: Permission, entity: &EntityId) -> bool {
        self.grants
            .iter()
            .any(|(pattern, given)| given.contains(&permission) && pattern.matches(entity))
    }
}

impl TryFrom<Grants> for Permissions {
    type Error = MisplacedBroadcast;

    /// A pattern that gives nothing is left out, so that equal permissions are equal values.
    fn try_from(mut grants: Grants) -> Result<Self, MisplacedBroadcast> {
        grants.retain(|_, permissions| !permissions.is_empty());
        let misplaced = grants.iter().find(|(pattern, permissions)| {
            permissions.contains(&Permission::Broadcast) && **pattern != EntityPattern::everything()
        });
        match misplaced {
            Some((pattern, _)) => Err(MisplacedBroadcast(pattern.to_string())),
            None => Ok(Self { grants }),
        }
    }
}

impl From<Permissions> for Grants {
    fn from(permissions: Permissions) -> Self {
        permissions.grants
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::in_full::in_full;

    fn permissions(json: &str) -> Permissions {
        Permissions::from_json(json).expect(json)
    }

    fn entity(text: &str) -> EntityId {
        EntityId::new(text).expect("an id")
    }

    #[test]
    fn only_what_a_pattern_gives_is_allowed() {
        let permissions = permissions(
            r#"{"order:*":["subscribe"],"order:7":["publish"],"room:**":["publish","subscribe"]}"#,
        );
        for (id, subscribe, publish) in [
            ("order:1", true, false),
            ("order:7", true, true),
            ("order:1:lines", false, false),
            ("room:1:typing", true, true),
            ("other", false, false),
        ] {
            let id = entity(id);
            assert_eq!(permissions.may_subscribe(&id), subscribe, "{id}");
            assert_eq!(permissions.may_publish(&id), publish, "{id}");
        }
        assert!(!permissions.may_broadcast());
    }

    #[test]
    fn everything_and_none_are_what_they_say() {
        let everything = Permissions::everything();
        let id = entity("a:b");
        assert!(everything.may_subscribe(&id) && everything.may_publish(&id));
        assert!(everything.may_broadcast());
        let none = permissions("{}");
        assert_eq!(none, Permissions::none());
        assert!(!none.may_subscribe(&id) && !none.may_publish(&id) && !none.may_broadcast());
    }

    #[test]
    fn the_same_permissions_are_the_same_text() {
        let one = permissions(r#"{"b":["publish","subscribe"],"a":["subscribe"],"c":[]}"#);
        let other = permissions(r#"{"a":["subscribe"],"b":["subscribe","publish","publish"]}"#);
        assert_eq!(one, other);
        assert_eq!(
            one.to_json(),
            r#"{"a":["subscribe"],"b":["subscribe","publish"]}"#
        );
        assert_eq!(permissions(&one.to_json()), one);
    }

    #[test]
    fn what_is_wrong_with_permissions_is_said() {
        for (json, said) in [
            ("[]", "invalid type: sequence"),
            (r#"{"a":"subscribe"}"#, "invalid type: string"),
            (r#"{"a":["read"]}"#, "unknown variant `read`"),
            (r#"{"":["publish"]}"#, "must not be empty"),
            (r#"{"a**":["publish"]}"#, "** must stand alone"),
            (
                r#"{"room:**":["broadcast"]}"#,
                r#"give it under the pattern **, not under "room:**""#,
            ),
        ] {
            let error = in_full(&Permissions::from_json(json).expect_err(json));
            assert!(error.contains(said), "{json}: {error}");
        }
    }
}
