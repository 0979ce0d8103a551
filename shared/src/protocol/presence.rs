//! The members of an entity, as clients see them.

use serde::Serialize;

use crate::{
    ids::{EntityId, UserId},
    presence::Info,
};

/// A user who is present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PresentUser {
    /// The user.
    pub user_id: UserId,
    /// The number of the user's connections.
    pub connections: usize,
    /// The info in the token of the connection that was heard of last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<Info>,
}

/// A user who has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserLeft {
    /// The user.
    pub user_id: UserId,
}

/// The members of an entity in a reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PresenceReply {
    /// The version of the last frame before. 0 if there was none.
    pub version: u64,
    /// The number of users and anonymous connections.
    pub count: usize,
    /// The users, in the order of their ids. `None` if there are too many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<PresentUser>>,
}

/// The users who joined and left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MembersChanged {
    /// The users who are present now.
    pub joined: Vec<PresentUser>,
    /// The users who are not.
    pub left: Vec<UserLeft>,
}

/// A change of an entity's members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PresenceFrame {
    /// The entity.
    pub entity_id: EntityId,
    /// The version, which only rises.
    pub version: u64,
    /// The number of users and anonymous connections.
    pub count: usize,
    /// The users who joined and left. `None` if there are too many members.
    #[serde(flatten)]
    pub changed: Option<MembersChanged>,
}

impl MembersChanged {
    /// Returns whether no user joined or left.
    pub fn is_empty(&self) -> bool {
        self.joined.is_empty() && self.left.is_empty()
    }

    /// Returns the length of its JSON in bytes.
    pub fn length(&self) -> usize {
        serde_json::to_vec(self).map_or(usize::MAX, |json| json.len())
    }
}
