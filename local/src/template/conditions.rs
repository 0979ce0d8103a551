//! Condition functions: `Equals`, `And`, `Or`, `Not`, and conditions by name.

use super::{
    error::Problem,
    item::Item,
    scope::{Scope, Usage},
    yaml::{Kind, Node},
};

/// Whether the condition `node` holds.
pub(super) fn holds(scope: &Scope<'_>, node: &Node, path: &str) -> Result<bool, Problem> {
    let usage = Usage {
        path,
        position: node.position,
    };
    let (name, argument) = match &node.kind {
        Kind::Call(name, argument) => (name.as_str(), argument.as_ref()),
        Kind::Map(entries) => match entries.as_slice() {
            [(name, argument)] => (name.as_str(), argument),
            _ => return Err(usage.problem("is not a condition")),
        },
        _ => return Err(usage.problem("is not a condition")),
    };
    let arguments = |least: usize, most: usize| match &argument.kind {
        Kind::List(nodes) if (least..=most).contains(&nodes.len()) => Ok(nodes.as_slice()),
        _ => Err(usage.problem(format!("{name} takes a list of {least} to {most}"))),
    };
    let each = |nodes: &[Node]| -> Result<Vec<bool>, Problem> {
        nodes.iter().map(|node| holds(scope, node, path)).collect()
    };
    match name {
        "Condition" => {
            let condition = argument.scalar_text();
            let condition = condition.ok_or_else(|| usage.problem("Condition takes a name"))?;
            scope.condition(&condition, usage)
        }
        "Fn::Equals" => equals(scope, arguments(2, 2)?, path),
        "Fn::Not" => Ok(each(arguments(1, 1)?)?.contains(&false)),
        "Fn::And" => Ok(!each(arguments(2, 10)?)?.contains(&false)),
        "Fn::Or" => Ok(each(arguments(2, 10)?)?.contains(&true)),
        _ => Err(usage.problem(format!(
            "{name} is not a condition: use Equals, And, Or, Not or Condition"
        ))),
    }
}

/// CloudFormation compares text: `5` equals `"5"`.
fn equals(scope: &Scope<'_>, nodes: &[Node], path: &str) -> Result<bool, Problem> {
    let values = nodes
        .iter()
        .map(|node| {
            let Some(item) = Item::evaluate(scope, path, node)? else {
                return Ok(None);
            };
            let text = item.text().ok();
            Ok(Some(
                text.map_or_else(|| item.json(), |text| Ok(text.into()))?,
            ))
        })
        .collect::<Result<Vec<_>, Problem>>()?;
    Ok(values.windows(2).all(|pair| pair[0] == pair[1]))
}
