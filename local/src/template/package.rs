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

/// The binary targets of packages by their folders, each looked up once, because cargo is slow.
#[derive(Default)]
pub(super) struct Packages(RefCell<BTreeMap<PathBuf, BinaryTargets>>);

/// The names of a package's binary targets, or the reason why cargo cannot list them.
type BinaryTargets = Result<Vec<String>, String>;

impl Packages {
    /// Returns the names of the binary targets of the package in `folder`.
    pub(super) fn binary_targets(&self, folder: &Path) -> BinaryTargets {
        let mut packages = self.0.borrow_mut();
        let targets = packages
            .entry(folder.to_owned())
            .or_insert_with(|| binary_targets(folder));
        targets.clone()
    }
}

/// Returns the cargo to run: the one that started this program, or else the one in `PATH`.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Returns the names of the binary targets of the package in `folder`.
pub(crate) fn binary_targets(folder: &Path) -> BinaryTargets {
    let manifest = folder.join("Cargo.toml");
    if !manifest.is_file() {
        return Err("it has no Cargo.toml".to_owned());
    }
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
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    Ok(metadata.binary_targets(&manifest))
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

/// The part of `cargo metadata` that lists binary targets.
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
    /// Returns the binary targets that `cargo build` builds in the folder of `manifest`: those of its
    /// package, or of all packages if it is the manifest of a workspace only.
    fn binary_targets(self, manifest: &Path) -> Vec<String> {
        let manifest = manifest.canonicalize().unwrap_or(manifest.to_owned());
        let is_own = |package: &Package| package.manifest_path == manifest;
        let has_own = self.packages.iter().any(is_own);
        let packages = self.packages.into_iter();
        let mut targets: Vec<_> = packages
            .filter(|package| !has_own || is_own(package))
            .flat_map(|package| package.targets)
            .filter(|target| target.kind.iter().any(|kind| kind == "bin"))
            .map(|target| target.name)
            .collect();
        targets.sort();
        targets
    }
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
