//! The programs of the tests, and the template with the names of some of them.

use std::{
    env,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use herald_local::{
    Authentication, http_parameters,
    template::{Settings, Stack},
};
use tempfile::TempDir;

/// Returns an example of this package. `cargo test` builds the examples as well; with `--test` it
/// does not.
pub fn example(name: &str) -> PathBuf {
    // This program is in the folder `deps` beside `examples`.
    let program = env::current_exe().unwrap();
    let path = program.parent().unwrap().with_file_name("examples");
    let path = path.join(name);
    assert!(
        path.exists(),
        "run `cargo build -p herald-local --examples` first"
    );
    path
}

/// Makes a folder with a binary for every function of [`template`]. All are the same one, which
/// answers the gateway's events with status 200.
pub fn function_binaries() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for binary in function_names() {
        symlink(example("scripted_function"), folder.path().join(binary)).unwrap();
    }
    folder
}

/// Returns the names of the binaries of [`template`].
pub fn function_names() -> Vec<String> {
    let mut defaults = http_parameters();
    defaults.extend(Authentication::Open.parameters(""));
    let settings = Settings {
        defaults,
        ..Settings::new("http://127.0.0.1:3030")
    };
    let stack = Stack::read(&template(), &settings).unwrap();
    let functions = stack.functions.into_iter();
    functions.map(|function| function.binary).collect()
}

/// Returns the template of this repository.
pub fn template() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml")
}
