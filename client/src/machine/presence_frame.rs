//! The frames that tell presence.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{Member, Presence};

/// A change of the set of an entity.
#[derive(Debug)]
pub(super) struct PresenceFrame {
    pub(super) version: u64,
    pub(super) count: u64,
    /// The users that joined and the ids of those that left. `None` if the frame tells the count alone.
    pub(super) members: Option<(Vec<Member>, Vec<String>)>,
}

impl PresenceFrame {
    /// Reads a frame. `None` if it has no version or no count.
    pub(super) fn read(text: &str) -> Option<Self> {
        let frame: Value = serde_json::from_str(text).ok()?;
        let lists = frame["joined"].as_array().zip(frame["left"].as_array());
        let members = lists.map(|(joined, left)| {
            let ids = members_of(left).map(|member| member.user_id);
            (members_of(joined).collect(), ids.collect())
        });
        Some(Self {
            version: frame["version"].as_u64()?,
            count: frame["count"].as_u64()?,
            members,
        })
    }
}

/// The set of an entity, with its version.
#[derive(Debug)]
pub(crate) struct PresenceSnapshot {
    pub(super) version: u64,
    pub(crate) presence: Presence,
}

impl PresenceSnapshot {
    /// Reads the field `presence` of a reply. `None` if it has no version or no count.
    pub(super) fn of(field: &Value) -> Option<Self> {
        let members = field["members"]
            .as_array()
            .map(|list| by_id(members_of(list)));
        Some(Self {
            version: field["version"].as_u64()?,
            presence: Presence::new(field["count"].as_u64()?, members),
        })
    }
}

/// Returns users by their ids. The last of an id counts.
pub(super) fn by_id(members: impl Iterator<Item = Member>) -> BTreeMap<String, Member> {
    members
        .map(|member| (member.user_id.clone(), member))
        .collect()
}

/// Reads the users of a list. An item without an id is skipped.
fn members_of(list: &[Value]) -> impl Iterator<Item = Member> {
    list.iter().filter_map(|item| {
        let user_id = item["userId"].as_str()?.to_owned();
        let connections = item["connections"].as_u64().unwrap_or(1);
        Some(Member::new(user_id, connections, item.get("info").cloned()))
    })
}
