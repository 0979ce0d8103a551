//! `herald-local` as people start it, and the cost of its start.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use herald_benches::{Run, functions, median};
use herald_local::template::{Settings, Stack};
use tokio::process::Command;

use crate::process::Server;

/// The template and the folder of its built functions.
pub(crate) struct BuiltFunctions {
    template: PathBuf,
    binaries: PathBuf,
}

/// The cost of a start.
pub(crate) struct Start {
    /// The median time from the start of the process to its ready line.
    pub(crate) ready_ms: f64,
    /// The resident bytes of the process then.
    pub(crate) resident_bytes: Option<u64>,
    /// The resident bytes with all function processes. A page counts once for each process that
    /// shares it.
    pub(crate) resident_with_functions_bytes: Option<u64>,
}

/// Builds the functions of the repository's template, unless an argument names their folder.
pub(crate) async fn build(run: &Run) -> anyhow::Result<BuiltFunctions> {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let settings = Settings {
        parameters: BTreeMap::from([("Authentication".to_owned(), "open".to_owned())]),
        ..Settings::new("http://127.0.0.1")
    };
    let stack = Stack::read(&template, &settings)?;
    let any = stack
        .functions
        .first()
        .context("the template has no function")?;
    let binary = functions::binary(&stack, &any.logical_id, run).await?;
    let folder = binary.parent().context("a binary is in a folder")?;
    Ok(BuiltFunctions {
        template,
        binaries: folder.to_owned(),
    })
}

/// Starts the whole stack with limits that no benchmark reaches.
pub(crate) async fn start(built: &BuiltFunctions) -> anyhow::Result<Server> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_herald-local"));
    command
        .args(["--json", "--port", "0"])
        .args(["--parameter", "ThrottlingRateLimit=1000000"])
        .args(["--parameter", "ThrottlingBurstLimit=1000000"])
        .args(["--parameter", "MessagesPerSecond=10000"])
        .arg("--template")
        .arg(&built.template)
        .arg("--binaries")
        .arg(&built.binaries);
    Server::start(command).await
}

/// Starts the stack several times and measures each start.
pub(crate) async fn measure_start(built: &BuiltFunctions, run: &Run) -> anyhow::Result<Start> {
    let mut ready: Vec<Duration> = Vec::new();
    let mut resident = None;
    let mut resident_with_functions = None;
    for _ in 0..run.of(5, 1) {
        let started = Instant::now();
        let server = start(built).await?;
        ready.push(started.elapsed());
        resident = server.resident();
        resident_with_functions = server.resident_with_children();
        server.stop().await?;
    }
    Ok(Start {
        ready_ms: median(ready.iter().map(|ready| ready.as_secs_f64() * 1e3)),
        resident_bytes: resident,
        resident_with_functions_bytes: resident_with_functions,
    })
}
