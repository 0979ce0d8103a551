//! The programs that tests run, where cargo has built them.

use std::path::PathBuf;

use herald_local::lambda::binaries;

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
