//! The template's `Outputs`, if they are about resources that are run.

use std::collections::BTreeMap;

use super::{
    error::Problem,
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

/// Returns the names of those outputs that other stacks may import, by the names of their exports.
pub(super) fn exports(
    scope: &Scope<'_>,
    outputs: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let exported = scope.document.outputs.iter();
    exported
        .filter_map(|(name, output)| {
            outputs.get(name)?;
            let export = output.entry("Export")?.entry("Name")?;
            let path = format!("Outputs.{name}.Export.Name");
            let export = scope
                .problems
                .value(Item::evaluate(scope, path, export))??;
            Some((export.read(Item::text)?, name.clone()))
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
    if references::report_unknown(scope, value, &path) || !references::are_run(scope, value)? {
        return Ok(None);
    }
    let item = Item::evaluate(scope, path, value)?.ok_or_else(missing)?;
    item.text().map(Some)
}
