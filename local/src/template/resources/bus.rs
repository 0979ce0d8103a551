//! `AWS::Events::EventBus`.

use crate::template::{document::Resource, model::Bus, scope::Scope};

const IGNORED: &[&str] = &[
    "Name",
    "Description",
    "KmsKeyIdentifier",
    "LogConfig",
    "Policy",
    "Tags",
];

pub(super) fn read(scope: &Scope<'_>, resource: &Resource) -> Option<Bus> {
    scope.properties(resource)?.finish(IGNORED);
    Some(Bus {
        logical_id: Some(resource.logical_id.clone()),
        name: scope.identity_of(resource)?.name.clone(),
    })
}
