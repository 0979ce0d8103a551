//! A replica that lags, for reads that do not ask for consistency.
//!
//! It is an engine of its own, which every write reaches some time after the tables. Writes are applied
//! to both in the same order, so that conditions and additions come out the same.

use std::{sync::Arc, time::Duration};

use axum::body::Bytes;
use dynoxide::Database;
use serde_json::Value;
use tokio::{
    sync::{Mutex, MutexGuard, mpsc},
    time::{Instant, sleep_until},
};

use super::{engine::Engine, is_read};

/// The replica. It stops when this is dropped.
pub(super) struct Replica {
    database: Database,
    engine: Arc<Engine>,
    lag: Duration,
    /// Held while a write is applied to the tables and noted here.
    order: Mutex<()>,
    writes: mpsc::UnboundedSender<Write>,
}

/// A write that the replica has still to apply.
struct Write {
    at: Instant,
    operation: String,
    request: Bytes,
}

impl Replica {
    /// Starts a replica on a database that has the tables, and no rows as long as they have none.
    ///
    /// # Errors
    ///
    /// Returns the system's error if there can be no more threads.
    pub(super) fn start(database: Database, lag: Duration) -> std::io::Result<Self> {
        let engine = Arc::new(Engine::start(database.clone())?);
        let (writes, pending) = mpsc::unbounded_channel();
        tokio::spawn(apply(engine.clone(), pending));
        Ok(Self {
            database,
            engine,
            lag,
            order: Mutex::default(),
            writes,
        })
    }

    /// Waits until no other write is under way. Hold it while the tables are written.
    pub(super) async fn order(&self) -> MutexGuard<'_, ()> {
        self.order.lock().await
    }

    /// Takes note of a write that the tables have.
    pub(super) fn written(&self, operation: &str, request: Bytes) {
        // It ends with the runtime, and then nothing reads it either.
        let _ = self.writes.send(Write {
            at: Instant::now() + self.lag,
            operation: operation.to_owned(),
            request,
        });
    }

    /// Answers a read as the tables were before. `None` if this is not a read, asks for consistency, or
    /// is refused, which the tables can say better.
    pub(super) async fn read(&self, operation: &str, request: &Value) -> Option<String> {
        if !is_read(operation) || is_consistent(operation, request) {
            return None;
        }
        let answer = self.engine.call(operation, request.to_string().into());
        answer.await.ok()??.ok()
    }

    /// Removes the rows whose time has come.
    ///
    /// # Errors
    ///
    /// Returns the engine's error.
    pub(super) fn sweep(&self) -> dynoxide::Result<usize> {
        self.database.sweep_ttl()
    }
}

async fn apply(engine: Arc<Engine>, mut pending: mpsc::UnboundedReceiver<Write>) {
    while let Some(write) = pending.recv().await {
        sleep_until(write.at).await;
        let operation = write.operation;
        let applied = engine.call(&operation, write.request).await;
        if !matches!(applied, Ok(Some(Ok(_)))) {
            tracing::error!(
                operation,
                "the replica for stale reads did not take a write"
            );
        }
    }
}

/// Returns whether a read asks for consistency. Of a batch, each table asks for itself; a transaction is
/// always consistent.
fn is_consistent(operation: &str, request: &Value) -> bool {
    let asks = |request: &Value| request["ConsistentRead"] == true;
    match operation {
        "TransactGetItems" => true,
        "BatchGetItem" => {
            let tables = request["RequestItems"].as_object();
            tables.is_some_and(|tables| tables.values().all(asks))
        }
        _ => asks(request),
    }
}
