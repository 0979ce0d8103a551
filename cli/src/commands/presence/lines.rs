//! Members and their changes, as text or as lines of JSON.

use herald_client::{EntityId, Member, Presence, PresenceChange};
use serde_json::{Value, json};

use crate::{
    commands::counted,
    failure::Failure,
    output::{json as print_json, line},
};

/// The lines about one entity.
pub(super) struct Lines<'a> {
    pub(super) entity: &'a EntityId,
    pub(super) as_json: bool,
}

impl Lines<'_> {
    /// Prints all members and the count, or the count alone if the members are unknown.
    pub(super) fn print_set(&self, presence: &Presence) -> Result<(), Failure> {
        let members = presence.members.as_ref();
        if self.as_json {
            let mut set = self.counted(presence);
            if let Some(members) = members {
                set["members"] = members.values().map(described).collect();
            }
            return print_json(&set);
        }
        for member in members.into_iter().flat_map(|members| members.values()) {
            line(text("here", member))?;
        }
        print_count(presence)
    }

    /// Prints a change after which the set is `presence`. Prints the set if the members are unknown, or were before.
    pub(super) fn print_change(
        &self,
        previous: Option<&Presence>,
        change: &PresenceChange,
        presence: &Presence,
    ) -> Result<(), Failure> {
        let before = previous.and_then(|previous| previous.members.as_ref());
        let Some(before) = before.filter(|_| presence.members.is_some()) else {
            return self.print_set(presence);
        };
        if self.as_json {
            let mut printed = self.counted(presence);
            printed["joined"] = change.joined.iter().map(described).collect();
            let left = change.left.iter();
            printed["left"] = left
                .map(|member| json!({"userId": member.user_id}))
                .collect();
            return print_json(&printed);
        }
        for member in &change.joined {
            let is_new = !before.contains_key(&member.user_id);
            line(text(if is_new { "joined" } else { "here" }, member))?;
        }
        for member in &change.left {
            line(format_args!("{:<6}  {}", "left", member.user_id))?;
        }
        print_count(presence)
    }

    fn counted(&self, presence: &Presence) -> Value {
        json!({"entityId": self.entity, "count": presence.count})
    }
}

fn print_count(presence: &Presence) -> Result<(), Failure> {
    line(format_args!("{:<6}  {}", "count", presence.count))
}

/// Returns a member as a line of text.
fn text(event: &str, member: &Member) -> String {
    let connections = counted(member.connections, "connection");
    let info = member.info.as_ref().map(Value::to_string);
    let info = info.unwrap_or_default();
    let line = format!(
        "{event:<6}  {:<20}  {connections:<14}  {info}",
        member.user_id
    );
    line.trim_end().to_owned()
}

/// Returns a member as in the protocol.
fn described(member: &Member) -> Value {
    let mut described = json!({"userId": member.user_id, "connections": member.connections});
    if let Some(info) = &member.info {
        described["info"] = info.clone();
    }
    described
}
