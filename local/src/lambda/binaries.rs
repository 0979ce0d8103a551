//! The function binaries: built with cargo, or found in the folder of an earlier build.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

use anyhow::{Context, bail};
use serde::Deserialize;
use tokio::process::Command;

use super::FunctionProcess;
use crate::template::{Function, cargo};

/// Builds the packages of `functions` with cargo and returns each function with its binary. Cargo's
/// messages go to standard error.
///
/// # Errors
///
/// Returns an error if a build fails or a package lacks a binary.
pub async fn build(functions: &[Function], release: bool) -> anyhow::Result<Vec<FunctionProcess>> {
    let packages: BTreeSet<&Path> = functions.iter().map(|f| f.code.as_path()).collect();
    let mut built = BTreeMap::new();
    for package in packages {
        built.insert(package, build_package(package, release).await?);
    }
    functions
        .iter()
        .map(|function| {
            let binaries = built.get(function.code.as_path());
            let binary = binaries.and_then(|binaries| binaries.get(&function.binary));
            let binary = binary.with_context(|| {
                format!(
                    "function {} needs the binary {}, which the package in {} does not have; \
                     correct the name in the template or add the binary target",
                    function.logical_id,
                    function.binary,
                    function.code.display()
                )
            })?;
            Ok(process(function, binary.clone()))
        })
        .collect()
}

/// Finds the binaries of `functions` in `folder` without a build.
///
/// # Errors
///
/// Returns an error that says how to build if a binary is missing.
pub fn find(functions: &[Function], folder: &Path) -> anyhow::Result<Vec<FunctionProcess>> {
    functions
        .iter()
        .map(|function| {
            let binary = folder.join(&function.binary);
            if !binary.is_file() {
                bail!(
                    "function {} needs the binary {}, which the folder {} does not have; run \
                     `cargo build --bins` in {} and give cargo's output folder",
                    function.logical_id,
                    function.binary,
                    folder.display(),
                    function.code.display()
                );
            }
            Ok(process(function, binary))
        })
        .collect()
}

async fn build_package(package: &Path, release: bool) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    tracing::info!(
        "building the functions in {}; the first build takes minutes",
        package.display()
    );
    let started = Instant::now();
    let cargo = cargo();
    let failed_to_run = || {
        format!(
            "failed to run {} in {}; install Rust or correct the template's CodeUri",
            cargo.display(),
            package.display()
        )
    };
    // Not `Command::output`: tokio's would capture the standard error that cargo should inherit.
    let process = Command::new(&cargo)
        .args([
            "build",
            "--bins",
            "--message-format=json-render-diagnostics",
        ])
        .args(release.then_some("--release"))
        .current_dir(package)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .with_context(failed_to_run)?;
    let output = process
        .wait_with_output()
        .await
        .with_context(failed_to_run)?;
    if !output.status.success() {
        bail!(
            "the functions in {} do not build; correct the errors of cargo above",
            package.display()
        );
    }
    tracing::info!("built the functions in {:.1?}", started.elapsed());
    Ok(executables(&String::from_utf8_lossy(&output.stdout)))
}

/// Returns the binary targets in cargo's JSON messages by name.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    #[derive(Deserialize)]
    struct Artifact {
        target: Target,
        executable: PathBuf,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
        kind: Vec<String>,
    }
    messages
        .lines()
        // Other messages have another shape; libraries have no executable.
        .filter_map(|line| serde_json::from_str::<Artifact>(line).ok())
        .filter(|artifact| artifact.target.kind.iter().any(|kind| kind == "bin"))
        .map(|artifact| (artifact.target.name, artifact.executable))
        .collect()
}

fn process(function: &Function, binary: PathBuf) -> FunctionProcess {
    FunctionProcess {
        function: function.clone(),
        binary,
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::{executables, find};
    use crate::template::Function;

    #[test]
    fn cargo_messages_yield_only_binaries() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"a"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"b"},"executable":"/t/b"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"kind":["custom-build"],"name":"c"},"executable":"/t/c"}"#,
            "\nprinted by a build script\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let found: Vec<_> = executables(messages).into_iter().collect();
        assert_eq!(found, [("b".to_owned(), "/t/b".into())]);
    }

    #[test]
    fn missing_binary_is_an_error_with_the_command_to_build_it() {
        let function = Function {
            logical_id: "Echo".to_owned(),
            name: "stack-Echo".to_owned(),
            binary: "echo".to_owned(),
            code: "/code".into(),
            environment: [].into(),
            timeout: Duration::from_secs(3),
            memory_mb: 128,
        };
        let error = find(&[function], Path::new("/no/such/folder")).expect_err("a missing binary");
        assert_eq!(
            error.to_string(),
            "function Echo needs the binary echo, which the folder /no/such/folder does not have; \
             run `cargo build --bins` in /code and give cargo's output folder"
        );
    }
}
