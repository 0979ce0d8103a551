//! The function binaries: built with cargo, or found in the folder of an earlier build.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

use anyhow::{Context, anyhow, bail};
use serde::Deserialize;
use tokio::process::Command;

use super::FunctionProcess;
use crate::template::{Function, binary_targets, cargo};

/// Builds the binaries of `functions` with cargo, package by package, and returns each function with
/// its binary. Cargo's messages go to standard error.
///
/// # Errors
///
/// Returns an error if a package lacks a binary or a build fails.
pub async fn build(functions: &[Function], release: bool) -> anyhow::Result<Vec<FunctionProcess>> {
    let mut packages: BTreeMap<&Path, Vec<&Function>> = BTreeMap::new();
    for function in functions {
        packages.entry(&function.code).or_default().push(function);
    }
    let mut built = BTreeMap::new();
    for (package, functions) in packages {
        check_targets(package, &functions)?;
        built.insert(package, build_package(package, &functions, release).await?);
    }
    functions
        .iter()
        .map(|function| {
            let binaries = built.get(function.code.as_path());
            let binary = binaries.and_then(|binaries| binaries.get(&function.binary));
            let binary = binary
                .with_context(|| format!("cargo built no binary for {}", function.logical_id))?;
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
                     `cargo build --workspace --bins` in {} and give cargo's output folder",
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

/// Refuses a function without a binary target before a build of minutes.
fn check_targets(package: &Path, functions: &[&Function]) -> anyhow::Result<()> {
    let folder = package.display();
    let targets = binary_targets(package).map_err(|error| {
        anyhow!(
            "cargo cannot list the binaries of the package in {folder} ({error}); install Rust or \
             correct the template's CodeUri"
        )
    })?;
    let missing = functions.iter().find(|f| !targets.contains(&f.binary));
    if let Some(function) = missing {
        bail!(
            "function {} needs the binary {}, which the package in {folder} does not have; correct \
             the name in the template or add the binary target",
            function.logical_id,
            function.binary
        );
    }
    Ok(())
}

async fn build_package(
    package: &Path,
    functions: &[&Function],
    release: bool,
) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    tracing::info!("building the functions in {}", package.display());
    let started = Instant::now();
    let cargo = cargo();
    let failed_to_run = || format!("failed to run {}", cargo.display());
    // Not `Command::output`: tokio's would capture the standard error that cargo should inherit.
    let process = Command::new(&cargo)
        .args(["build", "--message-format=json-render-diagnostics"])
        // A release build has the features of a deployment. Any other has those of the whole workspace,
        // so that it compiles no dependency that this program or the tests have compiled.
        .arg(if release { "--release" } else { "--workspace" })
        .args(functions.iter().flat_map(|f| ["--bin", &f.binary]))
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
             run `cargo build --workspace --bins` in /code and give cargo's output folder"
        );
    }
}
