//! Where the function binaries are: built now, or found where an earlier build left them.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, bail};
use serde::Deserialize;
use tokio::process::Command;

use super::FunctionProcess;
use crate::template::{Function, cargo};

/// Builds the packages of `functions` with cargo, whose own messages go to standard error, and
/// returns each function with its binary. Errs if a build fails or a package lacks a binary.
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
                    "function {} needs the binary {}, which the package in {} does not have: \
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

/// Finds the binaries of `functions` in `folder`, building nothing. Errs, saying what to run, if one
/// is missing.
pub fn find(functions: &[Function], folder: &Path) -> anyhow::Result<Vec<FunctionProcess>> {
    functions
        .iter()
        .map(|function| {
            let binary = folder.join(&function.binary);
            if !binary.is_file() {
                bail!(
                    "function {} needs the binary {}, which the folder {} does not have: run \
                     `cargo build --bins` in {} and name the folder that cargo puts them in",
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

/// The folder cargo put the running program in, where it puts the binaries of the same workspace and
/// profile, too. Errs if the operating system does not tell.
pub fn build_folder() -> anyhow::Result<PathBuf> {
    let program = env::current_exe().context("could not find out where this program is")?;
    let folder = program.parent().unwrap_or(Path::new("/"));
    // Test programs and examples are one level deeper.
    let nested = folder.ends_with("deps") || folder.ends_with("examples");
    let folder = folder.parent().filter(|_| nested).unwrap_or(folder);
    Ok(folder.to_owned())
}

async fn build_package(package: &Path, release: bool) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let cargo = cargo();
    let output = Command::new(&cargo)
        .args([
            "build",
            "--bins",
            "--message-format=json-render-diagnostics",
        ])
        .args(release.then_some("--release"))
        .current_dir(package)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| {
            format!(
                "could not run {} in {}: install Rust or correct the template's CodeUri",
                cargo.display(),
                package.display()
            )
        })?;
    if !output.status.success() {
        bail!(
            "the functions in {} do not build: correct what cargo says above",
            package.display()
        );
    }
    Ok(executables(&String::from_utf8_lossy(&output.stdout)))
}

/// The binary targets in cargo's JSON messages, by name.
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
        // Other messages have another shape, and libraries no executable.
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
    fn only_binaries_are_taken_from_the_messages_of_cargo() {
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
    fn a_binary_that_is_not_there_is_one_sentence_that_says_what_to_run() {
        let function = Function {
            logical_id: "Echo".to_owned(),
            name: "stack-Echo".to_owned(),
            binary: "echo".to_owned(),
            code: "/code".into(),
            environment: [].into(),
            timeout: Duration::from_secs(3),
            memory_mb: 128,
        };
        let error = find(&[function], Path::new("/no/such/folder")).expect_err("nothing is there");
        assert_eq!(
            error.to_string(),
            "function Echo needs the binary echo, which the folder /no/such/folder does not have: \
             run `cargo build --bins` in /code and name the folder that cargo puts them in"
        );
    }
}
