//! Tests of the build of a package's function binaries with cargo.

use std::{fs, path::Path};

use herald_local::{lambda::binaries, template::Function};
use tempfile::TempDir;

use super::harness;

#[tokio::test]
async fn build_returns_the_binary_of_each_function() {
    let package = package("test_builds", "fn main() {}");
    let functions = [function(package.path(), "test_builds")];
    let built = binaries::build(&functions, false).await.unwrap();
    assert_eq!(built.len(), 1);
    assert!(built[0].binary.ends_with("debug/test_builds"));
    assert!(built[0].binary.is_file());
}

#[tokio::test]
async fn missing_binary_target_is_named_with_its_function() {
    let package = package("test_lacks_a_binary", "fn main() {}");
    let functions = [function(package.path(), "other")];
    let error = binaries::build(&functions, false).await.unwrap_err();
    let sentence = error.to_string();
    let start = "function Scripted needs the binary other, which the package in ";
    assert!(sentence.starts_with(start), "{sentence}");
}

#[tokio::test]
async fn failed_build_is_one_sentence() {
    let package = package("test_does_not_build", "fn main() { missing() }");
    let functions = [function(package.path(), "test_does_not_build")];
    let error = binaries::build(&functions, false).await.unwrap_err();
    let sentence = error.to_string();
    assert!(sentence.contains("do not build"), "{sentence}");
}

/// Makes a package with one binary of the same name. The name differs in every test because
/// packages may share a target folder.
fn package(name: &str, main: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n[workspace]\n");
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/main.rs"), main).unwrap();
    folder
}

fn function(code: &Path, binary: &str) -> Function {
    Function {
        binary: binary.to_owned(),
        code: code.to_owned(),
        ..harness::function()
    }
}
