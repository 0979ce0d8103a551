//! A function's `Policies`: statements, SAM's policy templates, and AWS's managed policies. Elements of
//! a statement that are not evaluated are errors: without them the statement would grant something
//! else.

use crate::template::{
    error::Problem,
    item::{Fields, Item},
    model::{Effect, Statement},
    scope::Scope,
};

use super::sam_policies;

/// Elements of a statement that are not evaluated, each with its remedy.
const NOT_EVALUATED: &[(&str, &str)] = &[
    ("NotAction", "list the actions with Action"),
    ("NotResource", "list the resources with Resource"),
    (
        "Condition",
        "conditions are not evaluated here: remove it, or make it conditional with !If",
    ),
    (
        "Principal",
        "the principal of a role's policy is the role: remove it",
    ),
];

/// Reads all statements of `Policies`.
pub(super) fn read(scope: &Scope<'_>, properties: &mut Fields<'_>) -> Vec<Statement> {
    let policies = properties.take("Policies");
    let policies = policies.map(|item| item.each_or_one());
    let policies = policies.unwrap_or_default();
    policies
        .iter()
        .flat_map(|item| policy(scope, item))
        .collect()
}

fn policy(scope: &Scope<'_>, item: &Item<'_>) -> Vec<Statement> {
    if item.text().is_ok() {
        return item.read(managed_policy).unwrap_or_default();
    }
    let Some(mut fields) = item.read(Item::fields) else {
        return Vec::new();
    };
    match fields.take("Statement") {
        Some(statements) => {
            fields.finish(&["Id", "Version"]);
            let statements = statements.each_or_one();
            statements.iter().filter_map(statement).collect()
        }
        None => policy_template(scope, item, fields).into_iter().collect(),
    }
}

fn managed_policy(item: &Item<'_>) -> Result<Vec<Statement>, Problem> {
    let name = item.text()?;
    sam_policies::managed(&name).ok_or_else(|| {
        item.problem(format!(
            "the managed policy {name} is not known here: list its statements instead"
        ))
    })
}

/// Reads one of SAM's templates, written `{Name: {Parameter: value}}`.
fn policy_template(scope: &Scope<'_>, item: &Item<'_>, fields: Fields<'_>) -> Option<Statement> {
    let entries = fields.each();
    let [(name, parameters)] = entries.as_slice() else {
        item.report("a policy must have a Statement, or be one of SAM's policy templates");
        return None;
    };
    let Some(template) = sam_policies::template(name) else {
        let known = sam_policies::template_names()
            .collect::<Vec<_>>()
            .join(", ");
        parameters.report(format!(
            "the policy template {name} is not known here: list its statements instead, or use one of \
             {known}"
        ));
        return None;
    };
    let mut parameters = parameters.read(Item::fields)?;
    let value = parameters.require(template.parameter);
    parameters.finish(&[]);
    let value = value?.read(Item::text)?;
    Some(template.statement(scope.settings, &value))
}

fn statement(item: &Item<'_>) -> Option<Statement> {
    let mut fields = item.read(Item::fields)?;
    let mut is_evaluated = true;
    for (name, remedy) in NOT_EVALUATED {
        if let Some(item) = fields.take(name) {
            item.report(*remedy);
            is_evaluated = false;
        }
    }
    if !is_evaluated {
        return None;
    }
    let effect = fields.require("Effect");
    let actions = fields.require("Action");
    let resources = fields.require("Resource");
    fields.finish(&["Sid"]);
    let actions = actions.map(|actions| each(&actions, action));
    let resources = resources.map(|resources| each(&resources, resource));
    Some(Statement {
        effect: effect?.read(self::effect)?,
        actions: actions?,
        resources: resources?,
    })
}

fn each(item: &Item<'_>, read: impl Fn(&Item<'_>) -> Result<String, Problem>) -> Vec<String> {
    let items = item.each_or_one();
    items.iter().filter_map(|item| item.read(&read)).collect()
}

fn effect(item: &Item<'_>) -> Result<Effect, Problem> {
    match item.text()?.as_str() {
        "Allow" => Ok(Effect::Allow),
        "Deny" => Ok(Effect::Deny),
        other => Err(item.problem(format!("must be Allow or Deny, got `{other}`"))),
    }
}

fn action(item: &Item<'_>) -> Result<String, Problem> {
    let action = item.text()?;
    if action == "*" || action.contains(':') {
        return Ok(action);
    }
    Err(item.problem(format!(
        "must be an action with its service, as in dynamodb:Query, got `{action}`"
    )))
}

fn resource(item: &Item<'_>) -> Result<String, Problem> {
    let resource = item.text()?;
    if resource.contains("${") {
        return Err(item.problem(format!(
            "policy variables are not evaluated here: write the value instead, got `{resource}`"
        )));
    }
    if resource == "*" || resource.starts_with("arn:") {
        return Ok(resource);
    }
    Err(item.problem(format!(
        "must be an ARN or *, got `{resource}`: write !GetAtt with the resource's attribute Arn"
    )))
}
