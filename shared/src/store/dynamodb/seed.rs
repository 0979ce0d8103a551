//! Rows and keys for tests and benchmarks, which fill and inspect a table without the store.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{ConnectionTable, DynamoDbRows, row};
use crate::{audience::Audience, ids::ConnectionId, store::Listener};

impl ConnectionTable {
    /// Returns the same store with pages of at most this many connections.
    pub fn with_page_limit(self, connections: i32) -> Self {
        Self::over(DynamoDbRows {
            page_limit: connections,
            ..self.rows().clone()
        })
    }
}

/// The key of a stored row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKey {
    /// The connection's own row.
    Connection(ConnectionId),
    /// The row of a connection's charges.
    Charges(ConnectionId),
    /// A connection's listener row in an audience.
    Listener(Audience, ConnectionId),
}

impl RowKey {
    /// Returns the key of a row. `None` if the row is not one of the store's.
    pub fn of(row: &HashMap<String, AttributeValue>) -> Option<Self> {
        row::parse_key(row)
    }

    /// Returns the connection of a listener row in this audience. `None` if the row is another.
    pub fn listener_of(self, audience: &Audience) -> Option<ConnectionId> {
        match self {
            Self::Listener(listened, connection) if listened == *audience => Some(connection),
            _ => None,
        }
    }
}

/// Returns the row of a subscription as the store writes it.
pub fn listener_row(listener: Listener<'_>) -> HashMap<String, AttributeValue> {
    row::listener(listener)
}

/// Returns the attributes of a row that are its key in the table.
pub fn key(row: &HashMap<String, AttributeValue>) -> HashMap<String, AttributeValue> {
    row::key_attributes(row)
}
