//! The template's `Outputs`, as far as they speak of what is run.

use std::collections::BTreeMap;

use super::{
    error::Problem,
    identity,
    item::Item,
    references,
    scope::{Scope, Usage},
    yaml::Node,
};

/// The outputs' values by name. An output that names a resource that is not run, a dashboard say, is
/// left out: nothing depends on it.
pub(super) fn read(scope: &Scope<'_>) -> Result<BTreeMap<String, String>, Problem> {
    let mut outputs = BTreeMap::new();
    for (name, output) in &scope.document.outputs {
        let path = format!("Outputs.{name}");
        if let Some(value) = value(scope, output, &path)? {
            outputs.insert(name.clone(), value);
        }
    }
    Ok(outputs)
}

fn value(scope: &Scope<'_>, output: &Node, path: &str) -> Result<Option<String>, Problem> {
    let usage = Usage {
        path,
        position: output.position,
    };
    if let Some(condition) = output.entry("Condition").and_then(Node::scalar_text)
        && !scope.condition(&condition, usage)?
    {
        return Ok(None);
    }
    let missing = || usage.problem("Value is missing");
    let value = output.entry("Value").ok_or_else(missing)?;
    let path = format!("{path}.Value");
    references::check(scope, value, &path)?;
    if !is_run(scope, value)? {
        return Ok(None);
    }
    let item = Item::evaluate(scope, path, value)?.ok_or_else(missing)?;
    item.text().map(Some)
}

fn is_run(scope: &Scope<'_>, value: &Node) -> Result<bool, Problem> {
    for reference in references::collect(value) {
        let run = match scope.document.resource(&reference.name) {
            Some(resource) => identity::of_resource(scope, resource)?.is_some(),
            None => {
                reference.name.starts_with("AWS::")
                    || scope.parameter(&reference.name).is_some()
                    || identity::of_generated(scope, &reference.name).is_some()
            }
        };
        if !run {
            return Ok(false);
        }
    }
    Ok(true)
}
