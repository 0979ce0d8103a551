//! The rows of the table and their keys.
//!
//! | row | pk | sk | audiencePk | audienceSk |
//! | --- | --- | --- | --- | --- |
//! | connection | `C#<connectionId>` | `C` | `everyone` | `<h>#<connectionId>` |
//! | user membership | `C#<connectionId>` | `U#<userId>` | `user#<userId>` | `<h>#<connectionId>` |
//! | entity membership | `C#<connectionId>` | `E#<entityId>` | `entity#<entityId>` | `<h>#<connectionId>` |
//!
//! `<h>` is the connection's slot in two hex digits, so that a [`Range`] of an audience is a range of
//! the index's sort key. Every row of a connection says when its token ends, and the index has it too:
//! whoever reads an audience need not look it up.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_sdk_dynamodb::types::AttributeValue;

use super::Connection;
use crate::{
    audience::{Audience, LIFETIME, Range, slot},
    ids::{ConnectionId, EntityId},
    token_expiry::TokenExpiry,
};

/// The attributes of one row.
pub(super) type Row = HashMap<String, AttributeValue>;

/// The index from an audience to its connections.
pub(super) const AUDIENCE_INDEX: &str = "audience";

/// The sort key of the row of the connection itself.
pub(super) const CONNECTION: &str = "C";

/// When the token of a row's connection ends, in epoch seconds; a row without it has none.
pub(super) const TOKEN_EXPIRES_AT: &str = "tokenExpiresAt";

/// When a row may go, in epoch seconds.
pub(super) const EXPIRES_AT: &str = "expiresAt";

// On the row of the connection itself: when it was opened, in epoch milliseconds, and by whom.
pub(super) const CONNECTED_AT: &str = "connectedAt";
pub(super) const IP_ADDRESS: &str = "ipAddress";
pub(super) const USER_AGENT: &str = "userAgent";
pub(super) const USER_ID: &str = "userId";

/// On the row of the connection itself: up to when its messages are charged, in epoch microseconds.
pub(super) const CHARGED_UNTIL: &str = "messagesChargedUntil";

/// The partition key that all rows of a connection share.
pub(super) fn partition_key(connection: &ConnectionId) -> String {
    format!("C#{connection}")
}

/// The sort key of the row by which a connection belongs to `audience`.
pub(super) fn sort_key(audience: &Audience) -> String {
    match audience {
        Audience::Everyone => CONNECTION.to_owned(),
        Audience::User(user) => format!("U#{user}"),
        Audience::Entity(entity) => format!("E#{entity}"),
    }
}

/// The index's partition key of an audience.
pub(super) fn audience_key(audience: &Audience) -> String {
    match audience {
        Audience::Everyone => "everyone".to_owned(),
        Audience::User(user) => format!("user#{user}"),
        Audience::Entity(entity) => format!("entity#{entity}"),
    }
}

/// The index's sort key of a connection.
pub(super) fn audience_sort_key(connection: &ConnectionId) -> String {
    format!("{:02x}#{connection}", slot(connection))
}

/// The least and the greatest index sort key that connections of a range can have. A `$` is the
/// character after `#`.
pub(super) fn audience_sort_keys(range: &Range) -> (String, String) {
    (
        format!("{:02x}#", range.first),
        format!("{:02x}$", range.last),
    )
}

/// The connection whose index sort key this is.
pub(super) fn connection_of(audience_sort_key: &str) -> Option<ConnectionId> {
    let (_, connection) = audience_sort_key.split_once('#')?;
    ConnectionId::new(connection).ok()
}

/// All four keys: what identifies a row in the table and in the index.
pub(super) fn keys(connection: &ConnectionId, audience: &Audience) -> Row {
    HashMap::from([
        ("pk".to_owned(), text(partition_key(connection))),
        ("sk".to_owned(), text(sort_key(audience))),
        ("audiencePk".to_owned(), text(audience_key(audience))),
        ("audienceSk".to_owned(), text(audience_sort_key(connection))),
    ])
}

/// The row by which a connection belongs to a user or an entity.
pub(super) fn membership(
    connection: &ConnectionId,
    audience: &Audience,
    connected_at: SystemTime,
    token_expires_at: Option<TokenExpiry>,
) -> Row {
    let mut row = keys(connection, audience);
    row.insert(EXPIRES_AT.to_owned(), expires_at(connected_at));
    if let Some(expiry) = token_expires_at {
        row.insert(TOKEN_EXPIRES_AT.to_owned(), number(expiry.epoch_seconds()));
    }
    row
}

/// The row of the connection itself.
pub(super) fn connection(connection: &Connection) -> Row {
    let mut row = membership(
        &connection.id,
        &Audience::Everyone,
        connection.connected_at,
        connection.token_expires_at,
    );
    let connected_at = since_epoch(connection.connected_at).as_millis();
    row.insert("connectionId".to_owned(), text(connection.id.as_str()));
    row.insert(CONNECTED_AT.to_owned(), number(connected_at));
    let user = connection
        .user
        .as_ref()
        .map(|user| user.as_str().to_owned());
    for (name, value) in [
        (IP_ADDRESS, connection.ip_address.clone()),
        (USER_AGENT, connection.user_agent.clone()),
        (USER_ID, user),
    ] {
        if let Some(value) = value {
            row.insert(name.to_owned(), text(value));
        }
    }
    row
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The entity that a row subscribes its connection to; none if it is another row.
pub(super) fn entity_of(sort_key: &str) -> Option<EntityId> {
    EntityId::new(sort_key.strip_prefix("E#")?).ok()
}

/// The text of an attribute.
pub(super) fn text_of<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.get(name)?.as_s().ok().map(String::as_str)
}

/// The number of an attribute, if it is a whole one.
pub(super) fn number_of(row: &Row, name: &str) -> Option<u64> {
    row.get(name)?.as_n().ok()?.parse().ok()
}

/// The sort key of a row.
pub(super) fn into_sort_key(mut row: Row) -> Option<String> {
    match row.remove("sk")? {
        AttributeValue::S(sort_key) => Some(sort_key),
        _ => None,
    }
}

/// When the token of a row's connection ends.
pub(super) fn token_expiry(row: &Row) -> Option<TokenExpiry> {
    number_of(row, TOKEN_EXPIRES_AT).map(TokenExpiry::from_epoch_seconds)
}

/// When the connection of a row was opened, in whole seconds.
pub(super) fn connected_at(row: &Row) -> Option<SystemTime> {
    let expires_at = Duration::from_secs(number_of(row, EXPIRES_AT)?);
    UNIX_EPOCH.checked_add(expires_at.checked_sub(LIFETIME)?)
}

/// When the rows of a connection may go, in epoch seconds, as DynamoDB's time to live wants it.
fn expires_at(connected_at: SystemTime) -> AttributeValue {
    number(since_epoch(connected_at + LIFETIME).as_secs())
}

pub(super) fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection_id(text: &str) -> ConnectionId {
        ConnectionId::new(text).expect("an id")
    }

    #[test]
    fn the_keys_of_a_row_are_as_documented() {
        let entity = EntityId::new("a#b").expect("an id");
        let keys = keys(
            &connection_id("PcQeDRO4gIEm4LQ="),
            &Audience::Entity(entity),
        );
        let key = |name: &str| keys[name].as_s().expect("a string").as_str();
        assert_eq!(key("pk"), "C#PcQeDRO4gIEm4LQ=");
        assert_eq!(key("sk"), "E#a#b");
        assert_eq!(key("audiencePk"), "entity#a#b");
        assert_eq!(key("audienceSk"), "b1#PcQeDRO4gIEm4LQ=");
        assert_eq!(
            connection_of(key("audienceSk")),
            Some(connection_id("PcQeDRO4gIEm4LQ="))
        );
    }
}
