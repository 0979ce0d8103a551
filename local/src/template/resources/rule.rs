//! `AWS::Events::Rule` with queues as targets. A target of another kind is an error in the stack's own template, and
//! is left out of a rule of the user's own, as is such a rule with a schedule.

use crate::{
    eventbridge::input::{Input, Transformer},
    template::{
        document::Resource,
        error::Problem,
        identity::bus_of_rule,
        item::{Fields, Item},
        model::{NotRun, Rule, Target},
        references,
        scope::Scope,
    },
};

use super::{RULE, queue::queue_arn};

/// `RoleArn` is for targets other than queues.
const IGNORED: &[&str] = &["Description", "EventBusName", "Name", "RoleArn", "Tags"];

/// Delivery to a queue on this machine needs no retry: it succeeds at once or never.
const IGNORED_OF_TARGET: &[&str] = &["RetryPolicy", "RoleArn"];

pub(super) fn read(scope: &Scope<'_>, resource: &Resource) -> Option<Rule> {
    let mut properties = scope.properties(resource)?;
    let targets = take_targets(&mut properties);
    read_with(scope, resource, properties, &targets)
}

/// Reads a rule of the user's own with those of its targets that run here. `None` if it has no such target, or a schedule.
/// Adds rules and targets that are left out to `not_run`.
pub(in crate::template) fn read_own(
    scope: &Scope<'_>,
    resource: &Resource,
    not_run: &mut Vec<NotRun>,
) -> Option<Rule> {
    let mut properties = scope.properties(resource)?;
    let mut leave_out = |kind: String| {
        not_run.push(NotRun {
            logical_id: resource.logical_id.clone(),
            kind,
        });
    };
    if properties.take("ScheduleExpression").is_some() {
        leave_out(RULE.to_owned());
        return None;
    }
    let targets = take_targets(&mut properties);
    let (elsewhere, here): (Vec<_>, Vec<_>) = targets
        .into_iter()
        .partition(|target| is_elsewhere(scope, target));
    if here.is_empty() {
        leave_out(RULE.to_owned());
        return None;
    }
    if !elsewhere.is_empty() {
        leave_out(format!("target of {RULE}"));
    }
    references::report_unknown(scope, &resource.properties, &resource.properties_path());
    read_with(scope, resource, properties, &here)
}

fn take_targets<'a>(properties: &mut Fields<'a>) -> Vec<Item<'a>> {
    let targets = properties.take("Targets").map(|targets| targets.each());
    targets.unwrap_or_default()
}

/// Returns whether a target is a resource that is not run here, such as a function.
fn is_elsewhere(scope: &Scope<'_>, target: &Item<'_>) -> bool {
    let Some((arn, path)) = target.written("Arn") else {
        return false;
    };
    if references::report_unknown(scope, arn, &path) {
        return true;
    }
    match references::are_run(scope, arn) {
        Ok(true) => Item::evaluate(scope, path, arn).is_ok_and(|arn| {
            let arn = arn.and_then(|arn| arn.text().ok());
            arn.is_some_and(|arn| arn.starts_with("arn:") && !arn.starts_with("arn:aws:sqs:"))
        }),
        // An error is reported when the target is read.
        are_run => are_run == Ok(false),
    }
}

fn read_with(
    scope: &Scope<'_>,
    resource: &Resource,
    mut properties: Fields<'_>,
    targets: &[Item<'_>],
) -> Option<Rule> {
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
    let input = input(&mut fields, item);
    fields.finish(IGNORED_OF_TARGET);
    Some(Target {
        id: id?.read(Item::text)?,
        queue: queue?,
        input: input?,
        dead_letter_queue,
    })
}

/// Reads the text that a target receives, which at most one property sets.
fn input(fields: &mut Fields<'_>, target: &Item<'_>) -> Option<Input> {
    let constant = fields.take("Input");
    let path = fields.take("InputPath");
    let transformer = fields.take("InputTransformer");
    match (constant, path, transformer) {
        (None, None, None) => Some(Input::default()),
        (Some(constant), None, None) => constant.read(|item| {
            let constant = Input::constant(item.text()?);
            constant.map_err(|error| item.problem(error.to_string()))
        }),
        (None, Some(path), None) => path.read(|item| {
            Input::path(&item.text()?).map_err(|error| item.problem(error.to_string()))
        }),
        (None, None, Some(transformer)) => read_transformer(&transformer),
        _ => target.read(|item| {
            Err(item.problem("has more than one of Input, InputPath and InputTransformer"))
        }),
    }
}

fn read_transformer(item: &Item<'_>) -> Option<Input> {
    let mut fields = item.read(Item::fields)?;
    let paths = fields.nested("InputPathsMap");
    let template = fields.require("InputTemplate");
    fields.finish(&[]);
    let template = template?.read(Item::text)?;
    let paths = paths.map(Fields::texts).unwrap_or_default();
    item.read(|item| {
        let transformer = Transformer::parse(paths, &template);
        let transformer = transformer.map_err(|error| item.problem(error.to_string()))?;
        Ok(Input::transformer(transformer))
    })
}

fn dead_letter_queue(scope: &Scope<'_>, mut config: Fields<'_>) -> Option<String> {
    let queue = config.require("Arn");
    config.finish(&[]);
    queue_arn(scope, &queue?)
}
