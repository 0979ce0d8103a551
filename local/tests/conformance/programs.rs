//! The programs that tests run, and the template that names some of them.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use herald_local::{
    Authentication,
    lambda::binaries,
    template::{Settings, Stack},
};
use tempfile::TempDir;

/// An example of this package. `cargo test` builds the examples, too; with `--test` it does not.
pub fn example(name: &str) -> PathBuf {
    let path = binaries::build_folder()
        .unwrap()
        .join("examples")
        .join(name);
    assert!(
        path.exists(),
        "run `cargo build -p herald-local --examples` first"
    );
    path
}

/// A folder with a binary for every function of [`template`], all of them the same: it answers the
/// events of the gateway with status 200.
pub fn function_binaries() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for binary in function_names() {
        symlink(example("scripted_function"), folder.path().join(binary)).unwrap();
    }
    folder
}

/// The names of the binaries that [`template`] needs.
pub fn function_names() -> Vec<String> {
    let settings = Settings {
        defaults: Authentication::Open.parameters(""),
        ..Settings::new("http://127.0.0.1:3030")
    };
    let stack = Stack::read(&template(), &settings).unwrap();
    let functions = stack.functions.into_iter();
    functions.map(|function| function.binary).collect()
}

/// The template of this repository.
pub fn template() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml")
}
