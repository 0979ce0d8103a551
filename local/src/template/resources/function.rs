//! `AWS::Serverless::Function`: a binary of a Rust package, its environment and its event sources.

use std::{
    collections::BTreeMap,
    path::{self, Path, PathBuf},
    time::Duration,
};

use crate::template::{
    document::Resource,
    error::Problem,
    identity::physical_name,
    item::{Fields, Item},
    model::{EventSourceMapping, Function},
    scope::Scope,
};

use super::event_source;

/// `DeadLetterQueue` and `EventInvokeConfig` are for asynchronous invocations, of which there are none
/// here; concurrency, network and disk are not limited.
const IGNORED: &[&str] = &[
    "Architectures",
    "AssumeRolePolicyDocument",
    "AutoPublishAlias",
    "AutoPublishAliasAllProperties",
    "AutoPublishCodeSha256",
    "CodeSigningConfigArn",
    "DeadLetterQueue",
    "DeploymentPreference",
    "Description",
    "EphemeralStorage",
    "EventInvokeConfig",
    "FunctionName",
    "Handler",
    "KmsKeyArn",
    "LoggingConfig",
    "PermissionsBoundary",
    "Policies",
    "PropagateTags",
    "ProvisionedConcurrencyConfig",
    "PublishToLatestPublished",
    "RecursiveLoop",
    "ReservedConcurrentExecutions",
    "Role",
    "RolePath",
    "RuntimeManagementConfig",
    "SourceKMSKeyArn",
    "Tags",
    "Tracing",
    "VersionDescription",
    "VpcConfig",
];

/// Reads a function and the mappings of its `Events`.
pub(super) fn read(
    scope: &Scope<'_>,
    resource: &Resource,
    folder: &Path,
) -> Result<(Function, Vec<EventSourceMapping>), Problem> {
    let mut properties = scope.properties(resource)?;
    check_runtime(&mut properties)?;
    let seconds = properties.read("Timeout", Item::seconds)?;
    let memory_mb = properties.read("MemorySize", Item::number)?;
    let function = Function {
        logical_id: resource.logical_id.clone(),
        name: physical_name(scope, resource, "FunctionName")?,
        binary: binary(scope, resource)?,
        code: code(&properties.require("CodeUri")?, folder)?,
        environment: environment(&mut properties)?,
        timeout: seconds.unwrap_or(Duration::from_secs(3)),
        memory_mb: memory_mb.unwrap_or(128),
    };
    let mut mappings = Vec::new();
    if let Some(events) = properties.nested("Events")? {
        for (_, event) in events.drain()? {
            mappings.extend(event_source::read_event(
                scope,
                &resource.logical_id,
                &event,
            )?);
        }
    }
    properties.finish(IGNORED)?;
    Ok((function, mappings))
}

fn check_runtime(properties: &mut Fields<'_>) -> Result<(), Problem> {
    let runtime = properties.require("Runtime")?;
    let name = runtime.text()?;
    if name.starts_with("provided.") {
        return Ok(());
    }
    Err(runtime.problem(format!(
        "`{name}` is not run here: only Rust functions are, with the runtime provided.al2023"
    )))
}

fn binary(scope: &Scope<'_>, resource: &Resource) -> Result<String, Problem> {
    let mut metadata = scope.metadata(resource)?;
    let missing = metadata.problem(
        "the binary is not named: give Metadata BuildMethod rust-cargolambda and BuildProperties \
         with Binary",
    );
    let Some(mut build) = metadata.nested("BuildProperties")? else {
        return Err(missing);
    };
    build.read("Binary", Item::text)?.ok_or(missing)
}

fn code(item: &Item<'_>, folder: &Path) -> Result<PathBuf, Problem> {
    let code = item.text()?;
    if code.contains("://") {
        return Err(item.problem(format!("must be the folder of a package, is `{code}`")));
    }
    path::absolute(folder.join(&code))
        .map_err(|error| item.problem(format!("`{code}` is not a path: {error}")))
}

fn environment(properties: &mut Fields<'_>) -> Result<BTreeMap<String, String>, Problem> {
    let Some(mut environment) = properties.nested("Environment")? else {
        return Ok(BTreeMap::new());
    };
    let variables = environment.nested("Variables")?;
    environment.finish(&[])?;
    let variables = variables.map(Fields::drain).transpose()?;
    variables
        .unwrap_or_default()
        .into_iter()
        .map(|(name, item)| Ok((name, item.text()?)))
        .collect()
}
