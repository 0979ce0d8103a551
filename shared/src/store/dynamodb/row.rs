//! The rows of the table and their keys. No other module builds or parses them.
//!
//! | row | pk | sk | attributes |
//! | --- | --- | --- | --- |
//! | connection | `C#<connectionId>` | `C` | `connectedAt`, `expiresAt`, `ipAddress`, `userAgent`, `userId`, `tokenExpiresAt`, `entities`, `entityBytes`, `changes` |
//! | charges | `C#<connectionId>` | `M` | `messagesChargedUntil`, `expiresAt` |
//! | listener of an entity | `A#entity#<entityId>` | `<h>#<connectionId>` | `change`, `expiresAt`, `tokenExpiresAt`, `watches` |
//! | listener as a user | `A#user#<userId>` | `<h>#<connectionId>` | `expiresAt`, `tokenExpiresAt` |
//! | listener to everyone | `A#everyone#<shard>` | `<h>#<connectionId>` | `expiresAt`, `tokenExpiresAt` |
//!
//! `<h>` is the connection's slot in two hex digits, so that a [`Range`] of an audience is a range of
//! sort keys; `<shard>` is its first digit. A listener row has the time the connection was opened
//! (`expiresAt` less the lifetime of rows) and the end of its token, so that a reader of the audience
//! needs no further row. The rows of presence (`P#<entityId>`) are those of
//! [`DynamoDbMemberRows`](crate::presence::DynamoDbMemberRows).

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_sdk_dynamodb::types::AttributeValue;

#[cfg(feature = "fakes")]
use super::seed::RowKey;
use crate::{
    audience::{Audience, LIFETIME, Range, Recipient, shard, slot},
    ids::{ConnectionId, EntityId, UserId},
    store::{Connection, Listener, StoredConnection},
    token_expiry::{TokenExpiry, since_epoch},
};

/// The attributes of one row.
pub(super) type Row = HashMap<String, AttributeValue>;

// The attributes of a row's key.
const PK: &str = "pk";
const SK: &str = "sk";

// The beginnings of partition keys, and the sort keys of the rows without a connection in it.
const CONNECTION: &str = "C#";
const EVERYONE: &str = "A#everyone#";
const USER: &str = "A#user#";
const ENTITY: &str = "A#entity#";
const OWN_ROW: &str = "C";
const CHARGES: &str = "M";

/// The condition that a row exists.
pub(super) const EXISTS: &str = "attribute_exists(pk)";

/// The condition that a row does not exist.
pub(super) const ABSENT: &str = "attribute_not_exists(pk)";

/// The key condition of the listener rows in a range of an audience.
pub(super) const IN_RANGE: &str = "pk = :audience AND sk BETWEEN :first AND :last";

/// The attributes from which [`recipient`] is read. A page of an audience is read without the others, which would only take memory.
pub(super) const RECIPIENT: &str = "sk, expiresAt, tokenExpiresAt";

/// The end of a token in epoch seconds. A row without it has no token.
pub(super) const TOKEN_EXPIRES_AT: &str = "tokenExpiresAt";

/// The time after which a row may be removed, in epoch seconds: the attribute of the table's time to
/// live.
pub(super) const EXPIRES_AT: &str = "expiresAt";

/// On a listener row of an entity: the number of the change that wrote it.
pub(super) const CHANGE: &str = "change";

/// On a listener row of an entity: present if the client wants to be told of changes of its members.
pub(super) const WATCHES: &str = "watches";

// On the connection's own row: its set of entities, the total length of their ids in bytes, and the
// number of changes of the set.
pub(super) const ENTITIES: &str = "entities";
pub(super) const ENTITY_BYTES: &str = "entityBytes";
pub(super) const CHANGES: &str = "changes";

// On the connection's own row: the time it was opened in epoch milliseconds, and its client.
const CONNECTED_AT: &str = "connectedAt";
const IP_ADDRESS: &str = "ipAddress";
const USER_AGENT: &str = "userAgent";
const USER_ID: &str = "userId";

/// On the row of the charges: the time up to which messages are charged, in epoch microseconds.
pub(super) const CHARGED_UNTIL: &str = "messagesChargedUntil";

/// The key of a row.
#[derive(Debug)]
pub(super) struct Key {
    pk: String,
    sk: String,
}

impl Key {
    /// Returns the key of the connection's own row.
    pub(super) fn connection(connection: &ConnectionId) -> Self {
        Self {
            pk: format!("{CONNECTION}{connection}"),
            sk: OWN_ROW.to_owned(),
        }
    }

    /// Returns the key of the row of a connection's charges.
    pub(super) fn charges(connection: &ConnectionId) -> Self {
        Self {
            sk: CHARGES.to_owned(),
            ..Self::connection(connection)
        }
    }

    /// Returns the key of a connection's listener row in an audience.
    pub(super) fn listener(connection: &ConnectionId, audience: &Audience) -> Self {
        let slot = slot(connection);
        Self {
            pk: audience_key(audience, slot),
            sk: format!("{slot:02x}#{connection}"),
        }
    }
}

impl From<Key> for Row {
    fn from(key: Key) -> Self {
        HashMap::from([(PK.to_owned(), text(key.pk)), (SK.to_owned(), text(key.sk))])
    }
}

/// Returns the partition key of an audience for connections of this slot.
pub(super) fn audience_key(audience: &Audience, slot: u8) -> String {
    match audience {
        Audience::Everyone => format!("{EVERYONE}{:x}", shard(slot)),
        Audience::User(user) => format!("{USER}{user}"),
        Audience::Entity(entity) => format!("{ENTITY}{entity}"),
    }
}

/// Returns the lowest and the highest possible sort key of listener rows in a range. A `$` is the
/// character after `#`.
pub(super) fn sort_keys(range: &Range) -> (String, String) {
    (
        format!("{:02x}#", range.first),
        format!("{:02x}$", range.last),
    )
}

/// Returns the connection's own row without subscriptions.
pub(super) fn connection(connection: &Connection) -> Row {
    let mut row = Row::from(Key::connection(&connection.id));
    let connected_at = since_epoch(connection.connected_at).as_millis();
    let user = connection.user.clone().map(String::from);
    let attributes = [
        (CONNECTED_AT, Some(number(connected_at))),
        (EXPIRES_AT, Some(expires_at(connection.connected_at))),
        (TOKEN_EXPIRES_AT, connection.token_expires_at.map(seconds)),
        (IP_ADDRESS, connection.ip_address.clone().map(text)),
        (USER_AGENT, connection.user_agent.clone().map(text)),
        (USER_ID, user.map(text)),
    ];
    insert(&mut row, attributes);
    row
}

/// Reads the connection's own row.
pub(super) fn stored_connection(row: &Row) -> StoredConnection {
    let text = |name| Some(row.get(name)?.as_s().ok()?.clone());
    let connected_at = Duration::from_millis(number_of(row, CONNECTED_AT).unwrap_or_default());
    let entities = row.get(ENTITIES).and_then(|set| set.as_ss().ok());
    StoredConnection {
        connected_at: UNIX_EPOCH + connected_at,
        ip_address: text(IP_ADDRESS),
        user_agent: text(USER_AGENT),
        user: text(USER_ID).and_then(|user| UserId::new(user).ok()),
        token_expires_at: token_expiry(row),
        entities: entities
            .into_iter()
            .flatten()
            .filter_map(|entity| EntityId::new(entity).ok())
            .collect::<BTreeSet<_>>(),
        changes: number_of(row, CHANGES).unwrap_or_default(),
    }
}

/// Returns the listener row of the connection's user, or of everyone.
pub(super) fn listener_from_connect(connection: &Connection, audience: &Audience) -> Row {
    let mut row = Row::from(Key::listener(&connection.id, audience));
    let attributes = [
        (EXPIRES_AT, Some(expires_at(connection.connected_at))),
        (TOKEN_EXPIRES_AT, connection.token_expires_at.map(seconds)),
    ];
    insert(&mut row, attributes);
    row
}

/// Returns the listener row of a subscription.
pub(super) fn listener(listener: Listener<'_>) -> Row {
    let audience = Audience::Entity(listener.entity.clone());
    let mut row = Row::from(Key::listener(listener.connection, &audience));
    let attributes = [
        (CHANGE, Some(number(listener.change))),
        (EXPIRES_AT, Some(expires_at(listener.connected_at))),
        (TOKEN_EXPIRES_AT, listener.token_expires_at.map(seconds)),
        (
            WATCHES,
            listener.watches.then_some(AttributeValue::Bool(true)),
        ),
    ];
    insert(&mut row, attributes);
    row
}

/// Returns the recipient of a listener row. `None` if the row is not a listener row.
pub(super) fn recipient(row: &Row) -> Option<Recipient> {
    let expires_at = Duration::from_secs(number_of(row, EXPIRES_AT)?);
    Some(Recipient {
        connection: listening_connection(row)?,
        connected_at: UNIX_EPOCH.checked_add(expires_at.checked_sub(LIFETIME)?)?,
        token_expires_at: token_expiry(row),
    })
}

/// Returns the connection of a listener row or of its key. `None` if it is neither.
pub(super) fn listening_connection(row: &Row) -> Option<ConnectionId> {
    let (_, connection) = row.get(SK)?.as_s().ok()?.split_once('#')?;
    ConnectionId::new(connection).ok()
}

/// Returns the key of any row. `None` if it is not one of the store's.
#[cfg(feature = "fakes")]
pub(super) fn parse_key(row: &Row) -> Option<RowKey> {
    let text = |name| row.get(name)?.as_s().ok();
    let (pk, sk) = (text(PK)?, text(SK)?);
    if let Some(id) = pk.strip_prefix(CONNECTION) {
        let connection = ConnectionId::new(id).ok()?;
        return match sk.as_str() {
            OWN_ROW => Some(RowKey::Connection(connection)),
            CHARGES => Some(RowKey::Charges(connection)),
            _ => None,
        };
    }
    let audience = if let Some(user) = pk.strip_prefix(USER) {
        Audience::User(UserId::new(user).ok()?)
    } else if let Some(entity) = pk.strip_prefix(ENTITY) {
        Audience::Entity(EntityId::new(entity).ok()?)
    } else {
        pk.strip_prefix(EVERYONE)?;
        Audience::Everyone
    };
    Some(RowKey::Listener(audience, listening_connection(row)?))
}

/// Returns the attributes of a row that are its key.
#[cfg(feature = "fakes")]
pub(super) fn key_attributes(row: &Row) -> Row {
    let key = [PK, SK].map(|name| (name.to_owned(), row[name].clone()));
    key.into()
}

/// Returns the number in an attribute. `None` if it is absent or not a whole number.
pub(super) fn number_of(row: &Row, name: &str) -> Option<u64> {
    row.get(name)?.as_n().ok()?.parse().ok()
}

fn token_expiry(row: &Row) -> Option<TokenExpiry> {
    number_of(row, TOKEN_EXPIRES_AT).map(TokenExpiry::from_epoch_seconds)
}

fn insert<const N: usize>(row: &mut Row, attributes: [(&str, Option<AttributeValue>); N]) {
    for (name, value) in attributes {
        if let Some(value) = value {
            row.insert(name.to_owned(), value);
        }
    }
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn seconds(expiry: TokenExpiry) -> AttributeValue {
    number(expiry.epoch_seconds())
}

/// Returns the time after which the rows of a connection may be removed.
fn expires_at(connected_at: SystemTime) -> AttributeValue {
    number(since_epoch(connected_at + LIFETIME).as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection_id() -> ConnectionId {
        ConnectionId::new("PcQeDRO4gIEm4LQ=").expect("an id")
    }

    fn entity(text: &str) -> EntityId {
        EntityId::new(text).expect("an id")
    }

    fn opened() -> Connection {
        Connection {
            id: connection_id(),
            connected_at: UNIX_EPOCH + Duration::from_millis(1_764_000_000_123),
            ip_address: Some("127.0.0.1".to_owned()),
            user_agent: Some("test".to_owned()),
            user: Some(UserId::new("alice").expect("an id")),
            token_expires_at: Some(TokenExpiry::from_epoch_seconds(1_764_003_600)),
        }
    }

    #[test]
    fn keys_are_as_documented() {
        let user = UserId::new("alice").expect("an id");
        let id = connection_id();
        for (key, pk, sk) in [
            (Key::connection(&id), "C#PcQeDRO4gIEm4LQ=", "C"),
            (Key::charges(&id), "C#PcQeDRO4gIEm4LQ=", "M"),
            (
                Key::listener(&id, &Audience::Entity(entity("a#b"))),
                "A#entity#a#b",
                "b1#PcQeDRO4gIEm4LQ=",
            ),
            (
                Key::listener(&id, &Audience::User(user)),
                "A#user#alice",
                "b1#PcQeDRO4gIEm4LQ=",
            ),
            (
                Key::listener(&id, &Audience::Everyone),
                "A#everyone#b",
                "b1#PcQeDRO4gIEm4LQ=",
            ),
        ] {
            assert_eq!((key.pk.as_str(), key.sk.as_str()), (pk, sk));
        }
    }

    #[test]
    fn connection_row_is_read_as_written() {
        let opened = opened();
        let mut row = connection(&opened);
        row.insert(CHANGES.to_owned(), number(3));
        let set = ["order-1", "room-1"].map(str::to_owned).to_vec();
        row.insert(ENTITIES.to_owned(), AttributeValue::Ss(set));
        let expected = StoredConnection {
            connected_at: opened.connected_at,
            ip_address: opened.ip_address,
            user_agent: opened.user_agent,
            user: opened.user,
            token_expires_at: opened.token_expires_at,
            entities: ["order-1", "room-1"].into_iter().map(entity).collect(),
            changes: 3,
        };
        assert_eq!(stored_connection(&row), expected);
        // Two hours and ten minutes after it was opened.
        assert_eq!(number_of(&row, EXPIRES_AT), Some(1_764_007_800));
    }

    #[test]
    fn recipient_is_read_from_listener_row() {
        let opened = opened();
        let row = listener_from_connect(&opened, &Audience::Everyone);
        let expected = Recipient {
            connection: connection_id(),
            connected_at: UNIX_EPOCH + Duration::from_secs(1_764_000_000),
            token_expires_at: opened.token_expires_at,
        };
        assert_eq!(recipient(&row), Some(expected));
    }
}
