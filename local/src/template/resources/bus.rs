//! `AWS::Events::EventBus`.

use crate::template::{
    document::Resource, error::Problem, identity::physical_name, model::Bus, scope::Scope,
};

const IGNORED: &[&str] = &[
    "Name",
    "Description",
    "KmsKeyIdentifier",
    "LogConfig",
    "Policy",
    "Tags",
];

pub(super) fn read(scope: &Scope<'_>, resource: &Resource) -> Result<Bus, Problem> {
    scope.properties(resource)?.finish(IGNORED)?;
    Ok(Bus {
        logical_id: Some(resource.logical_id.clone()),
        name: physical_name(scope, resource, "Name")?,
    })
}
