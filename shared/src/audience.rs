//! Whom a push is for.

use serde::{Deserialize, Serialize};

use crate::ids::{EntityId, UserId};

/// The connections a push is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Audience {
    /// Every connection.
    Everyone,
    /// Every connection of a user.
    User(UserId),
    /// Every connection subscribed to an entity.
    Entity(EntityId),
}
