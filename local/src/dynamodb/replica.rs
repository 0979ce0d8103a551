//! A replica that lags, for reads that do not ask for consistency.
//!
//! It is an engine of its own, which every write reaches some time after the tables. Writes are applied
//! to both in the same order, so that conditions and additions come out the same.

use std::time::Duration;

use dynoxide::Database;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{
    sync::{Mutex, MutexGuard, mpsc},
    time::{Instant, sleep_until},
};

/// The replica. It stops when this is dropped.
pub(super) struct Replica {
    database: Database,
    lag: Duration,
    /// Held while a write is applied to the tables and noted here.
    order: Mutex<()>,
    writes: mpsc::UnboundedSender<Write>,
}

/// A write that the replica has still to apply.
struct Write {
    at: Instant,
    operation: String,
    request: Value,
}

impl Replica {
    /// Starts a replica on an engine that has the tables, and no rows as long as they have none.
    pub(super) fn start(database: Database, lag: Duration) -> Self {
        let (writes, pending) = mpsc::unbounded_channel();
        tokio::spawn(apply(database.clone(), pending));
        tokio::spawn(super::sweep(database.clone()));
        Self {
            database,
            lag,
            order: Mutex::default(),
            writes,
        }
    }

    /// Waits until no other write is under way. Hold it while the tables are written.
    pub(super) async fn order(&self) -> MutexGuard<'_, ()> {
        self.order.lock().await
    }

    /// Takes note of a write that the tables have.
    pub(super) fn written(&self, operation: &str, request: Value) {
        // It ends with the runtime, and then nothing reads it either.
        let _ = self.writes.send(Write {
            at: Instant::now() + self.lag,
            operation: operation.to_owned(),
            request,
        });
    }

    /// Answers a read as the tables were before. `None` if this is not a read, asks for consistency, or
    /// is refused, which the tables can say better.
    pub(super) fn read(&self, operation: &str, request: &Value) -> Option<Value> {
        if is_consistent(operation, request) {
            return None;
        }
        let database = &self.database;
        let answer = match operation {
            "GetItem" => serde_json::to_value(database.get_item(typed(request)?).ok()?),
            "Query" => serde_json::to_value(database.query(typed(request)?).ok()?),
            "Scan" => serde_json::to_value(database.scan(typed(request)?).ok()?),
            "BatchGetItem" => serde_json::to_value(database.batch_get_item(typed(request)?).ok()?),
            _ => return None,
        };
        answer.ok()
    }

    /// The engine of the replica.
    pub(super) fn database(&self) -> &Database {
        &self.database
    }
}

async fn apply(database: Database, mut pending: mpsc::UnboundedReceiver<Write>) {
    while let Some(write) = pending.recv().await {
        sleep_until(write.at).await;
        if write_to(&database, &write).is_none() {
            let operation = write.operation;
            tracing::error!(
                operation,
                "the replica for stale reads did not take a write"
            );
        }
    }
}

fn write_to(database: &Database, write: &Write) -> Option<()> {
    let request = &write.request;
    match write.operation.as_str() {
        "PutItem" => drop(database.put_item(typed(request)?).ok()?),
        "UpdateItem" => drop(database.update_item(typed(request)?).ok()?),
        "DeleteItem" => drop(database.delete_item(typed(request)?).ok()?),
        "BatchWriteItem" => drop(database.batch_write_item(typed(request)?).ok()?),
        "TransactWriteItems" => drop(database.transact_write_items(typed(request)?).ok()?),
        _ => {}
    }
    Some(())
}

fn typed<T: DeserializeOwned>(request: &Value) -> Option<T> {
    serde_json::from_value(request.clone()).ok()
}

/// Returns whether a read asks for consistency. Of a batch, each table asks for itself.
fn is_consistent(operation: &str, request: &Value) -> bool {
    let asks = |request: &Value| request["ConsistentRead"] == true;
    match operation {
        "BatchGetItem" => {
            let tables = request["RequestItems"].as_object();
            tables.is_some_and(|tables| tables.values().all(asks))
        }
        _ => asks(request),
    }
}
