//! Looking at what is stored of one connection, for a person: no function does.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::ConnectionTable;
use crate::{
    ids::{ConnectionId, EntityId, UserId},
    store::{
        StoreError,
        batch_write::failed,
        row::{self, Row},
    },
    token_expiry::TokenExpiry,
};

/// Everything that is stored of a connection. What an older version did not store is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredConnection {
    /// When it was opened.
    pub connected_at: Option<SystemTime>,
    /// The client's address.
    pub ip_address: Option<String>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
    /// Whose it is.
    pub user: Option<UserId>,
    /// When its token ends, if it has one.
    pub token_expires_at: Option<TokenExpiry>,
    /// When its rows may go, if nothing takes them away before.
    pub expires_at: Option<SystemTime>,
    /// What it is subscribed to, in the order of the ids.
    pub entities: Vec<EntityId>,
}

impl ConnectionTable {
    /// What is stored of a connection; none if it is not known.
    pub async fn inspect(
        &self,
        connection: &ConnectionId,
    ) -> Result<Option<StoredConnection>, StoreError> {
        let mut stored = None;
        let mut entities = Vec::new();
        let mut start = None;
        loop {
            let page = self
                .query_rows(connection, start)
                .send()
                .await
                .map_err(|error| failed("read the connection's rows", error))?;
            for row in page.items.unwrap_or_default() {
                match row::text_of(&row, "sk") {
                    Some(row::CONNECTION) => stored = Some(stored_connection(&row)),
                    Some(sort_key) => entities.extend(row::entity_of(sort_key)),
                    None => {}
                }
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(stored.map(|stored| StoredConnection { entities, ..stored }));
            }
        }
    }
}

/// What the row of the connection itself says.
fn stored_connection(row: &Row) -> StoredConnection {
    let text = |name| row::text_of(row, name).map(str::to_owned);
    let time = |name, unit: fn(u64) -> Duration| {
        let since_epoch = row::number_of(row, name).map(unit)?;
        UNIX_EPOCH.checked_add(since_epoch)
    };
    StoredConnection {
        connected_at: time(row::CONNECTED_AT, Duration::from_millis),
        ip_address: text(row::IP_ADDRESS),
        user_agent: text(row::USER_AGENT),
        user: text(row::USER_ID).and_then(|user| UserId::new(user).ok()),
        token_expires_at: row::token_expiry(row),
        expires_at: time(row::EXPIRES_AT, Duration::from_secs),
        entities: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{audience::Audience, store::Connection};

    #[test]
    fn what_is_written_of_a_connection_is_read_again() {
        let connected_at = UNIX_EPOCH + Duration::from_millis(1_764_000_000_123);
        let connection = Connection {
            id: ConnectionId::new("PcQeDRO4gIEm4LQ=").expect("an id"),
            connected_at,
            ip_address: Some("127.0.0.1".to_owned()),
            user_agent: Some("test".to_owned()),
            user: Some(UserId::new("alice").expect("an id")),
            token_expires_at: Some(TokenExpiry::from_epoch_seconds(1_764_003_600)),
        };
        let expected = StoredConnection {
            connected_at: Some(connected_at),
            ip_address: connection.ip_address.clone(),
            user_agent: connection.user_agent.clone(),
            user: connection.user.clone(),
            token_expires_at: connection.token_expires_at,
            // Two hours and ten minutes later.
            expires_at: Some(UNIX_EPOCH + Duration::from_secs(1_764_007_800)),
            entities: Vec::new(),
        };
        assert_eq!(stored_connection(&row::connection(&connection)), expected);
    }

    #[test]
    fn a_subscription_is_known_by_its_sort_key() {
        let entity = EntityId::new("a#b").expect("an id");
        let user = UserId::new("E").expect("an id");
        for (audience, expected) in [
            (Audience::Entity(entity.clone()), Some(entity)),
            (Audience::User(user), None),
            (Audience::Everyone, None),
        ] {
            assert_eq!(row::entity_of(&row::sort_key(&audience)), expected);
        }
    }
}
