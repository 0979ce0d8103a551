//! Rows and keys for tests and benchmarks, which fill and inspect a table without the store.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    ConnectionTable, DynamoDbRows,
    row::{self, Key},
};
use crate::{
    audience::{Audience, slot},
    ids::ConnectionId,
    store::Listener,
};

impl ConnectionTable {
    /// Returns the same store with pages of at most this many connections.
    pub fn with_page_limit(self, connections: i32) -> Self {
        Self::over(DynamoDbRows {
            page_limit: connections,
            ..self.rows().clone()
        })
    }
}
