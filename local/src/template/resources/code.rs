//! The code of a function: the Rust package that it is built from, and its binary there.

use std::path::{self, Path, PathBuf};

use crate::template::{
    document::Resource,
    error::Problem,
    item::{Fields, Item},
    package::binary_of,
    scope::Scope,
};

/// Properties that do not matter if another program runs the function.
const IGNORED_IF_REMOTE: &[&str] = &[
    "CodeUri",
    "ImageConfig",
    "ImageUri",
    "InlineCode",
    "Layers",
    "PackageType",
    "Runtime",
];

/// The remedy for a function without a binary.
const NAME_IT: &str =
    "write Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: NAME } }";

/// The code of a function.
pub(super) struct Code {
    /// The folder of the package, absolute.
    pub(super) package: PathBuf,
    /// The binary's name. If another program runs the function and the package has no such binary, the
    /// logical id.
    pub(super) binary: String,
}

/// Reads the code of a function. `folder` is where `CodeUri` starts.
pub(super) fn read(
    scope: &Scope<'_>,
    resource: &Resource,
    properties: &mut Fields<'_>,
    folder: &Path,
) -> Option<Code> {
    if scope.settings.remote_functions {
        return remote(scope, resource, properties, folder);
    }
    let runtime = properties.require("Runtime");
    let package = properties.require("CodeUri");
    let package = package.and_then(|item| item.read(|item| local_folder(item, folder)));
    runtime?.read(check_runtime)?;
    let package = package?;
    let binary = match named_binary(scope, resource) {
        Some(binary) => binary,
        None => scope
            .problems
            .value(derived_binary(scope, resource, &package))?,
    };
    Some(Code { package, binary })
}

fn remote(
    scope: &Scope<'_>,
    resource: &Resource,
    properties: &mut Fields<'_>,
    folder: &Path,
) -> Option<Code> {
    let uri = properties.take("CodeUri");
    properties.ignore(IGNORED_IF_REMOTE);
    let package = uri.and_then(|uri| local_folder(&uri, folder).ok());
    let derived = || derived_binary(scope, resource, package.as_ref()?).ok();
    let binary = named_binary(scope, resource).or_else(derived);
    Some(Code {
        binary: binary.unwrap_or_else(|| resource.logical_id.clone()),
        package: package.unwrap_or_else(|| folder.to_owned()),
    })
}

fn local_folder(uri: &Item<'_>, folder: &Path) -> Result<PathBuf, Problem> {
    let code = uri.text()?;
    if code.contains("://") {
        return Err(uri.problem(format!(
            "must be the folder of a Rust package on this machine, got `{code}`"
        )));
    }
    path::absolute(folder.join(&code))
        .map_err(|error| uri.problem(format!("`{code}` is not a path: {error}")))
}

fn check_runtime(runtime: &Item<'_>) -> Result<(), Problem> {
    let name = runtime.text()?;
    if name.starts_with("provided.") {
        return Ok(());
    }
    Err(runtime.problem(format!(
        "`{name}` is not run here: use provided.al2023, the runtime of Rust functions, or run the \
         functions elsewhere with --functions"
    )))
}

fn named_binary(scope: &Scope<'_>, resource: &Resource) -> Option<String> {
    let mut metadata = scope.metadata(resource)?;
    metadata
        .nested("BuildProperties")?
        .read("Binary", Item::text)
}

fn derived_binary(
    scope: &Scope<'_>,
    resource: &Resource,
    package: &Path,
) -> Result<String, Problem> {
    let logical_id = &resource.logical_id;
    let folder = package.display();
    let problem = |reason: String| {
        let path = format!("{}.Metadata", resource.path);
        Err(Problem::new(resource.metadata.position, path, reason))
    };
    let targets = match scope.packages.binary_targets(package) {
        Ok(targets) => targets,
        Err(error) => {
            return problem(format!(
                "the binary of {logical_id} is not named, and cargo cannot list those of the package \
                 in {folder} ({error}): {NAME_IT} with its name, or correct CodeUri"
            ));
        }
    };
    match binary_of(logical_id, &targets) {
        Some(binary) => Ok(binary.to_owned()),
        None if targets.is_empty() => problem(format!(
            "the package of {logical_id} in {folder} has no binary: add one, or correct CodeUri"
        )),
        None => problem(format!(
            "{logical_id} does not tell which binary of the package in {folder} it runs: {NAME_IT} \
             with one of the names {}",
            targets.join(", ")
        )),
    }
}
