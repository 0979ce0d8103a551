//! A lagging replica, for reads that do not ask for consistency.
//!
//! It is an engine of its own, which every write reaches some time after the tables. Both apply writes in
//! the same order, so that conditions and additions have the same results.

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
    /// Locked while a write is applied to the tables and queued here.
    order: Mutex<()>,
    writes: mpsc::UnboundedSender<Write>,
}

/// A pending write.
struct Write {
    at: Instant,
    operation: String,
    request: Bytes,
}

impl Replica {
    /// Starts a replica on a database with the same tables and rows.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error if it cannot create a thread.
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

    /// Waits until no other write is in flight. Hold the guard while writing to the tables.
    pub(super) async fn order(&self) -> MutexGuard<'_, ()> {
        self.order.lock().await
    }

    /// Queues a write that the tables have applied.
    pub(super) fn written(&self, operation: &str, request: Bytes) {
        // The receiver ends only with the runtime, when nothing reads the replica either.
        let _ = self.writes.send(Write {
            at: Instant::now() + self.lag,
            operation: operation.to_owned(),
            request,
        });
    }

    /// Answers a read from the replica. Returns `None` if the operation is not a read, asks for
    /// consistency, or fails: the tables then answer it.
    pub(super) async fn read(&self, operation: &str, request: &Value) -> Option<String> {
        if !is_read(operation) || is_consistent(operation, request) {
            return None;
        }
        let answer = self.engine.call(operation, request.to_string().into());
        answer.await.ok()??.ok()
    }

    /// Removes expired rows.
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
                "the replica for stale reads failed to apply a write"
            );
        }
    }
}

/// Returns whether a read asks for consistency. In a batch each table asks for itself; a transaction is
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
