//! `AWS::Events::Rule` with queues as targets. A target receives the event unchanged: `Input`,
//! `InputPath` and `InputTransformer` are errors.

use crate::template::{
    document::Resource,
    error::Problem,
    identity::bus_of_rule,
    item::{Fields, Item},
    model::{Rule, Target},
    scope::Scope,
};

use super::queue::queue_arn;

/// `RoleArn` is for targets other than queues.
const IGNORED: &[&str] = &["Description", "EventBusName", "Name", "RoleArn", "Tags"];

/// Delivery to a queue on this machine needs no retry: it succeeds at once or never.
const IGNORED_OF_TARGET: &[&str] = &["RetryPolicy", "RoleArn"];

pub(super) fn read(scope: &Scope<'_>, resource: &Resource) -> Option<Rule> {
    let mut properties = scope.properties(resource)?;
    let targets = properties.take("Targets").map(|targets| targets.each());
    let targets = targets.unwrap_or_default();
    let targets = targets.iter().filter_map(|item| target(scope, item));
    let targets = targets.collect();
    let pattern = properties.require("EventPattern");
    let pattern = pattern.and_then(|pattern| pattern.read(Item::json));
    let enabled = properties.read("State", is_enabled);
    properties.finish(IGNORED);
    let identity = scope.identity_of(resource)?;
    Some(Rule {
        logical_id: resource.logical_id.clone(),
        name: identity.name.clone(),
        arn: identity.arn.clone(),
        bus: scope.problems.value(bus_of_rule(scope, resource))?,
        pattern: pattern?,
        enabled: enabled.unwrap_or(true),
        targets,
    })
}

fn is_enabled(state: &Item<'_>) -> Result<bool, Problem> {
    match state.text()?.as_str() {
        "ENABLED" => Ok(true),
        "DISABLED" => Ok(false),
        other => Err(state.problem(format!("must be ENABLED or DISABLED, got `{other}`"))),
    }
}

fn target(scope: &Scope<'_>, item: &Item<'_>) -> Option<Target> {
    let mut fields = item.read(Item::fields)?;
    let id = fields.require("Id");
    let queue = fields.require("Arn");
    let queue = queue.and_then(|queue| queue_arn(scope, &queue));
    let dead_letters = fields.nested("DeadLetterConfig");
    let dead_letter_queue = dead_letters.and_then(|config| dead_letter_queue(scope, config));
    fields.finish(IGNORED_OF_TARGET);
    Some(Target {
        id: id?.read(Item::text)?,
        queue: queue?,
        dead_letter_queue,
    })
}

fn dead_letter_queue(scope: &Scope<'_>, mut config: Fields<'_>) -> Option<String> {
    let queue = config.require("Arn");
    config.finish(&[]);
    queue_arn(scope, &queue?)
}
