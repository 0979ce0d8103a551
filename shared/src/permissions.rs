//! A user's permissions: the entities that they may subscribe to and publish to.
//!
//! Permissions come from a token's claim `herald`, travel as JSON text in the authorizer's context, and
//! are checked by the functions that need them. Nothing is looked up.

mod by_pattern;
mod pattern;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use by_pattern::ByPattern;
pub use pattern::{EntityPattern, InvalidPattern};

use crate::ids::EntityId;

/// An action that may be permitted on the entities of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Permission {
    /// Receive the pushes about the entity.
    Subscribe,
    /// Send messages to the entity's subscribers.
    Publish,
    /// Read the entity's log as far back as it goes. `subscribe` is enough to recover what was missed a
    /// moment ago.
    History,
    /// See the entity's members, and be told when they change.
    Presence,
    /// Send messages to every connection. It concerns no entity, so only the pattern `**` can grant it.
    Broadcast,
    /// Send messages to any user, which only an API key can. It concerns no entity, so only the pattern `**`
    /// can grant it.
    User,
}

/// The permissions granted for entity patterns; everything else is forbidden.
///
/// In JSON, an object from entity pattern to a list of permissions:
/// `{"order:*":["subscribe"],"room:**":["subscribe","publish"]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Grants", into = "Grants")]
pub struct Permissions {
    grants: Grants,
}

type Grants = BTreeMap<EntityPattern, BTreeSet<Permission>>;

/// The reason a text is not valid [`Permissions`].
#[derive(Debug, thiserror::Error)]
#[error("permissions must be an object from entity pattern to a list of permissions")]
pub struct InvalidPermissions(#[from] serde_json::Error);

/// The reason permissions are invalid: a pattern other than `**` grants a permission that concerns no
/// entity.
#[derive(Debug, thiserror::Error)]
#[error("{permission} concerns no entity: grant it under the pattern **, not under {pattern:?}")]
pub struct MisplacedPermission {
    permission: &'static str,
    pattern: String,
}

impl Permissions {
    /// Returns permissions that allow nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns permissions that allow everything that a connection can do, broadcasts included.
    pub fn everything() -> Self {
        let all = [
            Permission::Subscribe,
            Permission::Publish,
            Permission::History,
            Permission::Presence,
            Permission::Broadcast,
        ];
        Self {
            grants: Grants::from([(EntityPattern::everything(), all.into())]),
        }
    }

    /// Reads the JSON object.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidPermissions`] if the text is not such an object.
    pub fn from_json(text: &str) -> Result<Self, InvalidPermissions> {
        Ok(serde_json::from_str(text)?)
    }

    /// Returns the JSON object. Equal permissions have equal text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("permissions are always JSON")
    }

    /// Returns whether a connection may subscribe to the entity.
    pub fn may_subscribe(&self, entity: &EntityId) -> bool {
        self.grants(Permission::Subscribe, entity)
    }

    /// Returns whether a connection may send messages to the entity's subscribers.
    pub fn may_publish(&self, entity: &EntityId) -> bool {
        self.grants(Permission::Publish, entity)
    }

    /// Returns whether a connection may read the entity's log.
    pub fn may_read_history(&self, entity: &EntityId) -> bool {
        self.grants(Permission::History, entity)
    }

    /// Returns whether a connection may see the entity's members.
    pub fn may_see_presence(&self, entity: &EntityId) -> bool {
        self.grants(Permission::Presence, entity)
    }

    /// Returns whether a connection may read the log of everyone: whether it may read every log.
    pub fn may_read_history_of_everyone(&self) -> bool {
        let everything = self.grants.get(&EntityPattern::everything());
        everything.is_some_and(|permissions| permissions.contains(&Permission::History))
    }

    /// Returns whether a connection may send messages to every other connection.
    pub fn may_broadcast(&self) -> bool {
        self.grants
            .values()
            .any(|permissions| permissions.contains(&Permission::Broadcast))
    }

    /// Returns whether an API key may send messages to any user.
    pub fn may_send_to_users(&self) -> bool {
        self.grants
            .values()
            .any(|permissions| permissions.contains(&Permission::User))
    }

    /// Returns whether some message may be sent: to an entity, a user or everyone.
    pub fn may_send(&self) -> bool {
        let sends = [Permission::Publish, Permission::Broadcast, Permission::User];
        self.grants
            .values()
            .any(|permissions| sends.iter().any(|send| permissions.contains(send)))
    }

    fn grants(&self, permission: Permission, entity: &EntityId) -> bool {
        self.grants
            .iter()
            .any(|(pattern, granted)| granted.contains(&permission) && pattern.matches(entity))
    }
}

impl TryFrom<Grants> for Permissions {
    type Error = MisplacedPermission;

    /// Drops patterns that grant nothing, so that equal permissions are equal values.
    fn try_from(mut grants: Grants) -> Result<Self, MisplacedPermission> {
        grants.retain(|_, permissions| !permissions.is_empty());
        for (pattern, permissions) in &grants {
            let misplaced = permissions.iter().find_map(|permission| match permission {
                Permission::Broadcast => Some("broadcast"),
                Permission::User => Some("user"),
                Permission::Subscribe
                | Permission::Publish
                | Permission::History
                | Permission::Presence => None,
            });
            if let Some(permission) = misplaced
                && *pattern != EntityPattern::everything()
            {
                return Err(MisplacedPermission {
                    permission,
                    pattern: pattern.to_string(),
                });
            }
        }
        Ok(Self { grants })
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
    use crate::error_chain::error_chain;

    fn permissions(json: &str) -> Permissions {
        Permissions::from_json(json).expect(json)
    }

    fn entity(text: &str) -> EntityId {
        EntityId::new(text).expect("an id")
    }

    #[test]
    fn only_granted_permissions_are_allowed() {
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
    fn everything_allows_all_and_none_allows_nothing() {
        let everything = Permissions::everything();
        let id = entity("a:b");
        assert!(everything.may_subscribe(&id) && everything.may_publish(&id));
        assert!(everything.may_broadcast());
        let none = permissions("{}");
        assert_eq!(none, Permissions::none());
        assert!(!none.may_subscribe(&id) && !none.may_publish(&id) && !none.may_broadcast());
    }

    #[test]
    fn user_is_granted_to_no_connection_unless_by_name() {
        let everything = Permissions::everything();
        assert!(!everything.may_send_to_users() && everything.may_send());
        let of_key = permissions(r#"{"**":["user"]}"#);
        assert!(of_key.may_send_to_users() && of_key.may_send() && !of_key.may_broadcast());
        assert!(!permissions(r#"{"**":["subscribe","history"]}"#).may_send());
    }

    #[test]
    fn equal_permissions_have_equal_text() {
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
    fn invalid_permissions_are_refused_with_message() {
        for (json, message) in [
            ("[]", "invalid type: sequence"),
            (r#"{"a":"subscribe"}"#, "invalid type: string"),
            (r#"{"a":["read"]}"#, "unknown variant `read`"),
            (r#"{"":["publish"]}"#, "must not be empty"),
            (
                r#"{"a**":["publish"]}"#,
                "** must be the whole last segment",
            ),
            (
                r#"{"room:**":["broadcast"]}"#,
                r#"broadcast concerns no entity: grant it under the pattern **, not under "room:**""#,
            ),
            (
                r#"{"*":["user"]}"#,
                r#"user concerns no entity: grant it under the pattern **, not under "*""#,
            ),
        ] {
            let error = error_chain(&Permissions::from_json(json).expect_err(json));
            assert!(error.contains(message), "{json}: {error}");
        }
    }
}
