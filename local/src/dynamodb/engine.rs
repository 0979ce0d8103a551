//! The thread of the embedded engine, which runs calls one by one and removes expired rows.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use dynoxide::Database;
use tokio::sync::oneshot;

use super::operations;

/// The interval between removals of expired rows. AWS only promises "within a few days".
const SWEEP: Duration = Duration::from_secs(30);

/// The output of an operation, or its error; `None` if the engine does not support the operation.
pub(super) type Answer = Option<dynoxide::Result<String>>;

/// The engine's thread. It ends when this is dropped.
pub(super) struct Engine(mpsc::Sender<Call>);

struct Call {
    operation: String,
    body: Bytes,
    answer: oneshot::Sender<Answer>,
}

impl Engine {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error if it cannot create a thread.
    pub(super) fn start(database: Database) -> std::io::Result<Self> {
        let (sender, calls) = mpsc::channel();
        thread::Builder::new()
            .name("dynamodb".to_owned())
            .spawn(move || work(&database, &calls))?;
        Ok(Self(sender))
    }

    /// Runs an operation.
    ///
    /// # Errors
    ///
    /// Returns an error if the engine panicked.
    pub(super) async fn call(&self, operation: &str, body: Bytes) -> anyhow::Result<Answer> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Call {
            operation: operation.to_owned(),
            body,
            answer,
        })?;
        Ok(answered.await?)
    }
}

fn work(database: &Database, calls: &mpsc::Receiver<Call>) {
    let mut next_sweep = Instant::now() + SWEEP;
    loop {
        if Instant::now() >= next_sweep {
            sweep(database);
            next_sweep = Instant::now() + SWEEP;
        }
        let pause = next_sweep.saturating_duration_since(Instant::now());
        match calls.recv_timeout(pause) {
            Ok(call) => call.run(database),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Call {
    /// Runs the call. A panic fails this call alone.
    fn run(self, database: &Database) {
        let run = || operations::call(database, &self.operation, &self.body);
        if let Ok(answer) = catch_unwind(AssertUnwindSafe(run)) {
            // The caller may have stopped waiting.
            let _ = self.answer.send(answer);
        }
    }
}

fn sweep(database: &Database) {
    match database.sweep_ttl() {
        Ok(0) => {}
        Ok(rows) => tracing::info!(rows, "rows expired"),
        Err(error) => tracing::error!(%error, "failed to remove expired rows"),
    }
}
