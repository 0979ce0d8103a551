//! `AWS::Events::Rule` with queues as targets. A target gets the event as it is: `Input`, `InputPath`
//! and `InputTransformer` are errors.

use crate::template::{
    document::Resource,
    error::Problem,
    identity::{bus_of_rule, physical_name},
    item::Item,
    model::{Rule, Target},
    scope::Scope,
};

use super::QUEUE;

/// `RoleArn` is for targets other than queues.
const IGNORED: &[&str] = &["Description", "EventBusName", "Name", "RoleArn", "Tags"];

/// Delivery to a queue on this machine either works at once or never.
const IGNORED_OF_TARGET: &[&str] = &["RetryPolicy", "RoleArn"];

pub(super) fn read(scope: &Scope<'_>, resource: &Resource) -> Result<Rule, Problem> {
    let mut properties = scope.properties(resource)?;
    let targets = properties.take("Targets")?;
    let targets = targets.map(|item| item.items()).transpose()?;
    let rule = Rule {
        logical_id: resource.logical_id.clone(),
        name: physical_name(scope, resource, "Name")?,
        arn: scope.attribute(&resource.logical_id, "Arn", resource.usage())?,
        bus: bus_of_rule(scope, resource)?,
        pattern: properties.require("EventPattern")?.json()?,
        enabled: properties.read("State", is_enabled)?.unwrap_or(true),
        targets: targets
            .unwrap_or_default()
            .iter()
            .map(|item| target(scope, item))
            .collect::<Result<_, _>>()?,
    };
    properties.finish(IGNORED)?;
    Ok(rule)
}

fn is_enabled(state: &Item<'_>) -> Result<bool, Problem> {
    match state.text()?.as_str() {
        "ENABLED" => Ok(true),
        "DISABLED" => Ok(false),
        other => Err(state.problem(format!("must be ENABLED or DISABLED, is `{other}`"))),
    }
}

fn target(scope: &Scope<'_>, item: &Item<'_>) -> Result<Target, Problem> {
    let mut fields = item.fields()?;
    let queue = fields.require("Arn")?;
    scope.resource_by_arn(QUEUE, &queue)?;
    let target = Target {
        id: fields.require("Id")?.text()?,
        queue: queue.text()?,
        dead_letter_queue: fields.read("DeadLetterConfig", |config| {
            dead_letter_queue(scope, config)
        })?,
    };
    fields.finish(IGNORED_OF_TARGET)?;
    Ok(target)
}

fn dead_letter_queue(scope: &Scope<'_>, config: &Item<'_>) -> Result<String, Problem> {
    let mut fields = config.fields()?;
    let queue = fields.require("Arn")?;
    scope.resource_by_arn(QUEUE, &queue)?;
    fields.finish(&[])?;
    queue.text()
}
