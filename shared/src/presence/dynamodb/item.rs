//! The rows of presence and their keys. No other module builds or parses them.
//!
//! | row | pk | sk | attributes |
//! | --- | --- | --- | --- |
//! | set | `P#<entityId>` | `!` | `version`, `count`, `turn`, `flushAt`, `watchAt`, `expiresAt` |
//! | member | `P#<entityId>` | `<userId>#<connectionId>` | `info`, `change`, `announced`, `left`, `endsAt`, `expiresAt` |
//!
//! An anonymous member has no user before the `#`. A user's id may contain a `#`, and a connection's id does
//! not: it begins after the last one.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    ids::{ConnectionId, EntityId, UserId},
    presence::{Flush, FlushReason, Info, Member, MemberRow, SetRow},
};

/// The attributes of one row.
pub(super) type Item = HashMap<String, AttributeValue>;

// The attributes of a row's key.
const PK: &str = "pk";
const SK: &str = "sk";

/// The beginning of partition keys.
const PRESENCE: &str = "P#";

/// The sort key of a set. No member has it, because a member's contains a `#`.
const SET: &str = "!";

// On a member row. An absent `left` or `announced` is false.
pub(super) const INFO: &str = "info";
pub(super) const CHANGE: &str = "change";
pub(super) const ANNOUNCED: &str = "announced";
pub(super) const LEFT: &str = "left";

/// The time from which on a member counts as left, in epoch seconds.
pub(super) const ENDS_AT: &str = "endsAt";

// On the row of a set.
pub(super) const VERSION: &str = "version";
pub(super) const COUNT: &str = "count";
pub(super) const TURN: &str = "turn";
const FLUSH_AT: &str = "flushAt";
const WATCH_AT: &str = "watchAt";

/// The time after which a row may be removed, in epoch seconds: the attribute of the table's time to live.
pub(super) const EXPIRES_AT: &str = "expiresAt";

/// The time for which a set is kept after its last flush, far longer than a connection lasts: a set that begins
/// again at version 0 must not meet a client that knows a higher one.
const SET_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The time for which a member row is kept after its end. A flush has to see the row to tell that the member left,
/// and it may be late by as long as its message waits on the queue.
const KEPT_AFTER_END: Duration = Duration::from_secs(24 * 60 * 60);

/// The key of a row.
#[derive(Debug)]
pub(super) struct Key {
    pk: String,
    sk: String,
}

impl Key {
    /// Returns the key of an entity's set.
    pub(super) fn set(entity: &EntityId) -> Self {
        Self {
            pk: partition(entity),
            sk: SET.to_owned(),
        }
    }

    /// Returns the key of a member's row.
    pub(super) fn member(entity: &EntityId, member: &Member) -> Self {
        let user = member.user.as_ref().map_or("", UserId::as_str);
        Self {
            pk: partition(entity),
            sk: format!("{user}#{}", member.connection),
        }
    }
}

impl From<Key> for Item {
    fn from(key: Key) -> Self {
        HashMap::from([(PK.to_owned(), text(key.pk)), (SK.to_owned(), text(key.sk))])
    }
}

/// Returns the partition key of an entity's rows.
pub(super) fn partition(entity: &EntityId) -> String {
    format!("{PRESENCE}{entity}")
}

/// Reads a member row. `None` if it is another.
pub(super) fn member(item: &Item) -> Option<MemberRow> {
    let info = item.get(INFO).and_then(|info| info.as_s().ok());
    let is = |name| item.get(name).and_then(|flag| flag.as_bool().ok()) == Some(&true);
    Some(MemberRow {
        member: member_of_key(item)?,
        info: info.and_then(|info| Info::from_json(info).ok()),
        change: number_of(item, CHANGE)?,
        expires_at: number_of(item, ENDS_AT)?,
        announced: is(ANNOUNCED),
        left: is(LEFT),
    })
}

/// Reads the member in a row's key. `None` if the row is another.
pub(super) fn member_of_key(item: &Item) -> Option<Member> {
    let (user, connection) = item.get(SK)?.as_s().ok()?.rsplit_once('#')?;
    let user = match user {
        "" => None,
        user => Some(UserId::new(user).ok()?),
    };
    Some(Member {
        user,
        connection: ConnectionId::new(connection).ok()?,
    })
}

/// Reads the row of a set.
pub(super) fn set(item: &Item) -> SetRow {
    let number = |name| number_of(item, name);
    SetRow {
        version: number(VERSION).unwrap_or_default(),
        count: number(COUNT).unwrap_or_default() as usize,
        turn: number(TURN).unwrap_or_default(),
        flush_at: number(FLUSH_AT),
        watch_at: number(WATCH_AT),
    }
}

/// Returns the name of the attribute with the time of a flush.
pub(super) fn scheduled(reason: FlushReason) -> &'static str {
    match reason {
        FlushReason::Changes => FLUSH_AT,
        FlushReason::Expiry => WATCH_AT,
    }
}

/// Returns the time after which the row of a member that ends at `ends_at` may be removed.
pub(super) fn member_expires_at(ends_at: u64) -> AttributeValue {
    number(ends_at + KEPT_AFTER_END.as_secs())
}

/// Returns the time after which a set with this flush may be removed.
pub(super) fn set_expires_at(flush: &Flush) -> AttributeValue {
    number(flush.at + SET_LIFETIME.as_secs())
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn truth() -> AttributeValue {
    AttributeValue::Bool(true)
}

/// Returns the number in an attribute. `None` if it is absent or not a whole number.
fn number_of(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_is_read_from_its_key() {
        let entity = EntityId::new("room-1").expect("an id");
        for user in [
            None,
            Some("ann"),
            Some("a#b"),
            Some("#"),
            Some("!"),
            Some(" "),
        ] {
            let member = Member {
                user: user.map(|user| UserId::new(user).expect("an id")),
                connection: ConnectionId::new("PcQeDRO4gIEm4LQ=").expect("an id"),
            };
            let key = Key::member(&entity, &member);
            assert_eq!(key.pk, "P#room-1");
            assert_eq!(member_of_key(&key.into()), Some(member), "{user:?}");
        }
        assert_eq!(member_of_key(&Key::set(&entity).into()), None);
    }
}
