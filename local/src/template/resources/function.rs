//! `AWS::Serverless::Function`: a binary of a Rust package, its environment, its role and its event
//! sources.

use std::{path::Path, time::Duration};

use crate::template::{
    document::Resource,
    item::{Fields, Item},
    model::{EventSourceMapping, Function, Role},
    scope::Scope,
};

use super::{code, event_source, policies, sam_policies};

/// `DeadLetterQueue` and `EventInvokeConfig` are for asynchronous invocations, which do not occur
/// here; network and disk are not limited, and concurrency only at a function's URL.
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
    // Its own reader is in `function_url`.
    "FunctionUrlConfig",
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
) -> Option<(Function, Role, Vec<EventSourceMapping>)> {
    let mut properties = scope.properties(resource)?;
    let timeout = properties.read("Timeout", Item::seconds);
    let memory_mb = properties.read("MemorySize", Item::number);
    let environment = environment(&mut properties);
    let mut role = role(scope, resource, &mut properties);
    let events = properties.nested("Events").map(Fields::each);
    let events = events.unwrap_or_default();
    if !events.is_empty() {
        role.managed.extend(sam_policies::queue_execution());
    }
    let mappings = events
        .iter()
        .filter_map(|(_, event)| event_source::read_event(scope, &resource.logical_id, event))
        .collect();
    let code = code::read(scope, resource, &mut properties, folder);
    properties.finish(IGNORED);
    let code = code?;
    let function = Function {
        logical_id: resource.logical_id.clone(),
        name: scope.identity_of(resource)?.name.clone(),
        binary: code.binary,
        code: code.package,
        environment: environment.into_iter().collect(),
        timeout: timeout.unwrap_or(Duration::from_secs(3)),
        memory_mb: memory_mb.unwrap_or(128),
    };
    Some((function, role, mappings))
}

/// Returns the role that SAM generates from `Policies`, with the policies that it adds.
fn role(scope: &Scope<'_>, resource: &Resource, properties: &mut Fields<'_>) -> Role {
    if let Some(role) = properties.take("Role") {
        role.report(
            "roles are not supported here: list what the function may call under Policies instead",
        );
    }
    let stack_name = &scope.settings.stack_name;
    Role {
        function: resource.logical_id.clone(),
        name: format!("{stack_name}-{}Role", resource.logical_id),
        policies: policies::read(scope, properties),
        managed: sam_policies::basic_execution(),
    }
}

fn environment(properties: &mut Fields<'_>) -> Vec<(String, String)> {
    let Some(mut environment) = properties.nested("Environment") else {
        return Vec::new();
    };
    let variables = environment.nested("Variables").map(Fields::texts);
    environment.finish(&[]);
    variables.unwrap_or_default()
}
