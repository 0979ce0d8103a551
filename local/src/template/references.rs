//! The names that a part of a template uses, evaluated or not: a misspelt name in a property that is
//! ignored here is an error, as it is on AWS.

use super::{
    error::Problem,
    identity,
    scope::Scope,
    substitution::{Part, parts},
    yaml::{Kind, Node, Position},
};

/// A name and the place that uses it.
struct Reference {
    /// A parameter, pseudo parameter or logical id.
    name: String,
    position: Position,
}

/// Returns every name that `node` uses in `Ref`, `GetAtt` and `Sub`.
fn collect(node: &Node) -> Vec<Reference> {
    let mut references = Vec::new();
    walk(node, &mut references);
    references
}

/// Returns whether every resource that `node` names is run.
pub(super) fn are_run(scope: &Scope<'_>, node: &Node) -> Result<bool, Problem> {
    for reference in collect(node) {
        let is_run = match scope.document.resource(&reference.name) {
            Some(resource) => scope.resolve(resource, resource.place())?.is_some(),
            None => {
                reference.name.starts_with("AWS::")
                    || scope.parameter(&reference.name).is_some()
                    || identity::of_generated(scope, &reference.name)?.is_some()
            }
        };
        if !is_run {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Reports every name in `node`, which is at `path`, that is unknown. Returns whether any is.
pub(super) fn report_unknown(scope: &Scope<'_>, node: &Node, path: &str) -> bool {
    let mut references = collect(node);
    references.retain(|reference| !is_known(scope, &reference.name));
    for Reference { name, position } in &references {
        let reason = format!("{name} is neither a resource nor a parameter of the template");
        scope.problems.report(Problem::new(*position, path, reason));
    }
    !references.is_empty()
}

fn is_known(scope: &Scope<'_>, name: &str) -> bool {
    name.starts_with("AWS::")
        || scope.parameter(name).is_some()
        || scope.document.resource(name).is_some()
        || scope.document.unreadable.contains_key(name)
        || is_generated(scope, name)
}

/// SAM names the resources it generates after those of the template, e.g. `ConnectFunctionRole`.
fn is_generated(scope: &Scope<'_>, name: &str) -> bool {
    let mut resources = scope.document.resources.iter();
    resources.any(|resource| {
        resource.kind.starts_with("AWS::Serverless::") && name.starts_with(&resource.logical_id)
    })
}

fn walk(node: &Node, references: &mut Vec<Reference>) {
    match &node.kind {
        Kind::Scalar(_) => {}
        Kind::List(nodes) => nodes.iter().for_each(|node| walk(node, references)),
        Kind::Map(entries) => entries.iter().for_each(|(_, node)| walk(node, references)),
        Kind::Call(name, argument) => {
            references.extend(called(name, argument).into_iter().map(|name| Reference {
                name,
                position: node.position,
            }));
            walk(argument, references);
        }
    }
}

fn called(intrinsic: &str, argument: &Node) -> Vec<String> {
    let first = match &argument.kind {
        Kind::List(nodes) => nodes.first().and_then(Node::scalar_text),
        _ => argument.scalar_text(),
    };
    let Some(text) = first else {
        return Vec::new();
    };
    let before_dot = |name: &str| name.split('.').next().unwrap_or(name).to_owned();
    match intrinsic {
        "Ref" => vec![text],
        "Fn::GetAtt" => vec![before_dot(&text)],
        "Fn::Sub" => parts(&text)
            .into_iter()
            .filter_map(|part| match part {
                Part::Name(name) if !is_variable(argument, name) => Some(before_dot(name)),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Returns whether the map of `Fn::Sub: [text, map]` defines `name`.
fn is_variable(argument: &Node, name: &str) -> bool {
    match &argument.kind {
        Kind::List(nodes) => nodes.get(1).and_then(|map| map.entry(name)).is_some(),
        _ => false,
    }
}
