//! A function's `Policies`: statements, SAM's policy templates, and AWS's managed policies.
//! What a statement says that is not evaluated here is an error: without it the statement would grant
//! something else.

use crate::{
    iam::{Effect, Statement},
    template::{
        error::Problem,
        item::{Fields, Item},
        scope::Scope,
    },
};

use super::sam_policies;

/// Elements of a statement that are not evaluated, and what to do without them.
const NOT_EVALUATED: &[(&str, &str)] = &[
    ("NotAction", "list the actions with Action"),
    ("NotResource", "list the resources with Resource"),
    (
        "Condition",
        "conditions are not evaluated here: remove it, or choose it with !If",
    ),
    (
        "Principal",
        "the principal of a role's policy is the role: remove it",
    ),
];

/// Reads all statements of `Policies`.
pub(super) fn read(
    scope: &Scope<'_>,
    properties: &mut Fields<'_>,
) -> Result<Vec<Statement>, Problem> {
    let policies = properties.read("Policies", Item::items_or_one)?;
    let mut statements = Vec::new();
    for item in policies.unwrap_or_default() {
        statements.extend(policy(scope, &item)?);
    }
    Ok(statements)
}

fn policy(scope: &Scope<'_>, item: &Item<'_>) -> Result<Vec<Statement>, Problem> {
    if let Ok(name) = item.text() {
        return sam_policies::managed(&name).ok_or_else(|| {
            item.problem(format!(
                "what the managed policy {name} grants is not known here: write its statements out"
            ))
        });
    }
    let mut fields = item.fields()?;
    let Some(statements) = fields.read("Statement", Item::items_or_one)? else {
        return policy_template(scope, item, fields);
    };
    fields.finish(&["Id", "Version"])?;
    statements.iter().map(statement).collect()
}

/// One of SAM's templates, written `{Name: {Parameter: value}}`.
fn policy_template(
    scope: &Scope<'_>,
    item: &Item<'_>,
    fields: Fields<'_>,
) -> Result<Vec<Statement>, Problem> {
    let entries = fields.drain()?;
    let [(name, parameters)] = entries.as_slice() else {
        return Err(item.problem("a policy has a Statement, or is one of SAM's policy templates"));
    };
    let template = sam_policies::template(name).ok_or_else(|| {
        let known = sam_policies::template_names().collect::<Vec<_>>().join(", ");
        parameters.problem(format!(
            "what the policy template {name} grants is not known here: write its statements out, or \
             use one of {known}"
        ))
    })?;
    let mut parameters = parameters.fields()?;
    let value = parameters.require(template.parameter)?.text()?;
    parameters.finish(&[])?;
    Ok(vec![template.statement(scope.settings, &value)])
}

fn statement(item: &Item<'_>) -> Result<Statement, Problem> {
    let mut fields = item.fields()?;
    for (name, instead) in NOT_EVALUATED {
        if let Some(item) = fields.take(name)? {
            return Err(item.problem(*instead));
        }
    }
    let statement = Statement {
        effect: effect(&fields.require("Effect")?)?,
        actions: each(&fields.require("Action")?, action)?,
        resources: each(&fields.require("Resource")?, resource)?,
    };
    fields.finish(&["Sid"])?;
    Ok(statement)
}

fn each(
    item: &Item<'_>,
    read: impl Fn(&Item<'_>) -> Result<String, Problem>,
) -> Result<Vec<String>, Problem> {
    item.items_or_one()?.iter().map(read).collect()
}

fn effect(item: &Item<'_>) -> Result<Effect, Problem> {
    match item.text()?.as_str() {
        "Allow" => Ok(Effect::Allow),
        "Deny" => Ok(Effect::Deny),
        other => Err(item.problem(format!("must be Allow or Deny, is `{other}`"))),
    }
}

fn action(item: &Item<'_>) -> Result<String, Problem> {
    let action = item.text()?;
    if action == "*" || action.contains(':') {
        return Ok(action);
    }
    Err(item.problem(format!(
        "`{action}` is no action: write its service as well, as in dynamodb:Query"
    )))
}

fn resource(item: &Item<'_>) -> Result<String, Problem> {
    let resource = item.text()?;
    if resource.contains("${") {
        return Err(item.problem(format!(
            "policy variables are not evaluated here: write out what `{resource}` stands for"
        )));
    }
    if resource == "*" || resource.starts_with("arn:") {
        return Ok(resource);
    }
    Err(item.problem(format!(
        "`{resource}` is no ARN: write !GetAtt with the resource's attribute Arn"
    )))
}
