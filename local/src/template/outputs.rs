//! The template's `Outputs`, if they are about resources that are run.

use std::collections::BTreeMap;

use super::{
    error::Problem,
    identity,
    item::Item,
    references,
    scope::{Place, Scope},
    yaml::Node,
};

/// Returns the values of the outputs by name. An output that names a resource that is not run, e.g. a
/// dashboard, is left out: nothing depends on it.
pub(super) fn read(scope: &Scope<'_>) -> BTreeMap<String, String> {
    let outputs = scope.document.outputs.iter();
    outputs
        .filter_map(|(name, output)| {
            let value = value(scope, output, &format!("Outputs.{name}"));
            Some((name.clone(), scope.problems.value(value)??))
        })
        .collect()
}

fn value(scope: &Scope<'_>, output: &Node, path: &str) -> Result<Option<String>, Problem> {
    let place = Place {
        path,
        position: output.position,
    };
    if let Some(condition) = output.entry("Condition").and_then(Node::scalar_text)
        && !scope.condition(&condition, place)?
    {
        return Ok(None);
    }
    let missing = || place.problem("Value is missing");
    let value = output.entry("Value").ok_or_else(missing)?;
    let path = format!("{path}.Value");
    if references::report_unknown(scope, value, &path) || !is_run(scope, value)? {
        return Ok(None);
    }
    let item = Item::evaluate(scope, path, value)?.ok_or_else(missing)?;
    item.text().map(Some)
}

fn is_run(scope: &Scope<'_>, value: &Node) -> Result<bool, Problem> {
    for reference in references::collect(value) {
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
