//! Local stacks on free ports.

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
};

use herald_local::{Config, RunningStack};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, SemaphorePermit},
};

/// Starts a stack on a free port of the loopback address.
///
/// # Errors
///
/// Returns what [`RunningStack::start`] returns.
pub async fn start(config: Config) -> anyhow::Result<RunningStack> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    RunningStack::start(listener, config).await
}

/// Waits until no other test of the process runs a stack. A stack uses the whole machine.
pub async fn turn() -> SemaphorePermit<'static> {
    static ONE_AT_A_TIME: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(1));
    ONE_AT_A_TIME.acquire().await.expect("it is never closed")
}

/// Returns the repository's own template.
pub fn template() -> PathBuf {
    repository().join("template.yaml")
}

/// Returns the root of the repository.
pub fn repository() -> PathBuf {
    let testkit = Path::new(env!("CARGO_MANIFEST_DIR"));
    testkit.parent().expect("a workspace").to_owned()
}
