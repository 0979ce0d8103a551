//! The Rust packages that functions are built from, for functions that do not name their binary.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;

/// The binary targets of packages by their folders, each looked up once: cargo takes a while.
#[derive(Default)]
pub(super) struct Packages(RefCell<BTreeMap<PathBuf, BinaryTargets>>);

/// The names of a package's binary targets, or cargo's reason why it cannot list them.
type BinaryTargets = Result<Vec<String>, String>;

impl Packages {
    /// Returns the names of the binary targets of the package in `folder`.
    pub(super) fn binary_targets(&self, folder: &Path) -> BinaryTargets {
        let mut packages = self.0.borrow_mut();
        let targets = packages
            .entry(folder.to_owned())
            .or_insert_with(|| metadata(folder).map(|metadata| metadata.binary_targets(folder)));
        targets.clone()
    }
}

/// Returns the cargo to run: the one that runs this program, if one does.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Returns the binary target that a function's logical id names, without regard to case, hyphens,
/// underscores and the suffix `Function`; or else the only one.
pub(super) fn binary_of<'a>(logical_id: &str, targets: &'a [String]) -> Option<&'a str> {
    let plain = |name: &str| name.replace(['-', '_'], "").to_lowercase();
    let id = plain(logical_id);
    let is_named = |target: &&String| {
        let target = plain(target);
        target == id || id.strip_suffix("function") == Some(target.as_str())
    };
    let named: Vec<_> = targets.iter().filter(is_named).collect();
    match (named.as_slice(), targets) {
        ([target], _) => Some(target),
        ([], [target]) => Some(target),
        _ => None,
    }
}

/// The part of `cargo metadata` that tells binary targets.
/// <https://doc.rust-lang.org/cargo/commands/cargo-metadata.html>
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Metadata {
    /// Returns the binary targets that `cargo build` builds in `folder`: those of the package that it
    /// belongs to, or of all packages below the root of a workspace.
    fn binary_targets(self, folder: &Path) -> Vec<String> {
        let folder = folder.canonicalize().unwrap_or(folder.to_owned());
        let root = |package: &Package| package.manifest_path.parent().map(Path::to_owned);
        let roots = self.packages.iter().filter_map(root);
        let own = roots
            .filter(|root| folder.starts_with(root))
            .max_by_key(|root| root.components().count());
        let packages = self.packages.into_iter();
        let mut targets: Vec<_> = packages
            .filter(|package| own.is_none() || own == root(package))
            .flat_map(|package| package.targets)
            .filter(|target| target.kind.iter().any(|kind| kind == "bin"))
            .map(|target| target.name)
            .collect();
        targets.sort();
        targets
    }
}

fn metadata(folder: &Path) -> Result<Metadata, String> {
    let output = Command::new(cargo())
        .args(["metadata", "--no-deps", "--format-version=1"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        let first = message.lines().next().unwrap_or_default();
        return Err(first.trim_start_matches("error: ").to_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::binary_of;

    #[test]
    fn logical_id_names_its_binary_or_the_only_one_is_chosen() {
        for (logical_id, targets, expected) in [
            (
                "Subscribe",
                &["subscribe", "connect"][..],
                Some("subscribe"),
            ),
            (
                "SubscribeFunction",
                &["subscribe", "connect"],
                Some("subscribe"),
            ),
            (
                "SendMessageFunction",
                &["sendMessage", "connect"],
                Some("sendMessage"),
            ),
            (
                "SendMessage",
                &["send-message", "connect"],
                Some("send-message"),
            ),
            (
                "ConnectFunction",
                &["connect_function", "default"],
                Some("connect_function"),
            ),
            ("Function", &["connect", "default"], None),
            ("Unsubscribe", &["subscribe", "connect"], None),
            ("Connect", &["connect", "connect-function"], Some("connect")),
            ("ConnectFunction", &["connect", "connect-function"], None),
            ("Anything", &["bootstrap"], Some("bootstrap")),
            ("Anything", &[], None),
        ] {
            let targets: Vec<_> = targets.iter().map(|&name| name.to_owned()).collect();
            assert_eq!(
                binary_of(logical_id, &targets),
                expected,
                "{logical_id} {targets:?}"
            );
        }
    }
}
