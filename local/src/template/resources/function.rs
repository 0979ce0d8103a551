//! `AWS::Serverless::Function`: a binary of a Rust package, its environment, its role and its event
//! sources.

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
    model::{EventSourceMapping, Function, Role},
    scope::Scope,
};

use super::{event_source, policies, sam_policies};

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
    "PropagateTags",
    "ProvisionedConcurrencyConfig",
    "PublishToLatestPublished",
    "RecursiveLoop",
    "ReservedConcurrentExecutions",
    "RolePath",
    "RuntimeManagementConfig",
    "SourceKMSKeyArn",
    "Tags",
    "Tracing",
    "VersionDescription",
    "VpcConfig",
];

/// Reads a function, its role and the mappings of its `Events`.
pub(super) fn read(
    scope: &Scope<'_>,
    resource: &Resource,
    folder: &Path,
) -> Result<(Function, Role, Vec<EventSourceMapping>), Problem> {
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
    let mut role = role(scope, resource, &mut properties)?;
    let events = properties
        .nested("Events")?
        .map(Fields::drain)
        .transpose()?;
    let events = events.unwrap_or_default();
    if !events.is_empty() {
        role.managed.extend(sam_policies::queue_execution());
    }
    let mut mappings = Vec::new();
    for (_, event) in events {
        let logical_id = &resource.logical_id;
        mappings.extend(event_source::read_event(scope, logical_id, &event)?);
    }
    properties.finish(IGNORED)?;
    Ok((function, role, mappings))
}

/// The role that SAM makes of `Policies`, and what it adds.
fn role(
    scope: &Scope<'_>,
    resource: &Resource,
    properties: &mut Fields<'_>,
) -> Result<Role, Problem> {
    if let Some(role) = properties.take("Role")? {
        return Err(role.problem(
            "a role of the function's own is not read here: grant what it may call with Policies",
        ));
    }
    let stack_name = &scope.settings.stack_name;
    Ok(Role {
        function: resource.logical_id.clone(),
        name: format!("{stack_name}-{}Role", resource.logical_id),
        policies: policies::read(scope, properties)?,
        managed: sam_policies::basic_execution(),
    })
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
