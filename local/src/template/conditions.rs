//! Condition functions: `Equals`, `And`, `Or`, `Not`, and conditions by name. Rules share the first
//! four.

use super::{
    error::Problem,
    item::Item,
    scope::{Place, Scope},
    yaml::{Kind, Node},
};

/// Returns whether the condition `node` holds.
pub(super) fn holds(scope: &Scope<'_>, node: &Node, path: &str) -> Result<bool, Problem> {
    let place = Place {
        path,
        position: node.position,
    };
    let function = ConditionFunction::of(node, place)?;
    if let Some(value) = function.connective(|node| holds(scope, node, path))? {
        return Ok(value);
    }
    match function.name {
        "Condition" => {
            let condition = function.argument.scalar_text();
            let condition = condition.ok_or_else(|| place.problem("Condition takes a name"))?;
            scope.condition(&condition, place)
        }
        "Fn::Equals" => equals(scope, function.arguments(2, 2)?, path),
        name => Err(place.problem(format!(
            "{name} is not a condition: use Equals, And, Or, Not or Condition"
        ))),
    }
}

/// A function that is true or false, and its argument.
#[derive(Clone, Copy)]
pub(super) struct ConditionFunction<'a> {
    pub(super) name: &'a str,
    argument: &'a Node,
    place: Place<'a>,
}

impl<'a> ConditionFunction<'a> {
    pub(super) fn of(node: &'a Node, place: Place<'a>) -> Result<Self, Problem> {
        let (name, argument) = match &node.kind {
            Kind::Call(name, argument) => (name.as_str(), argument.as_ref()),
            Kind::Map(entries) => match entries.as_slice() {
                [(name, argument)] => (name.as_str(), argument),
                _ => return Err(place.problem("must be a condition function, e.g. !Equals")),
            },
            _ => return Err(place.problem("must be a condition function, e.g. !Equals")),
        };
        Ok(Self {
            name,
            argument,
            place,
        })
    }

    /// Returns the elements of the argument, of which there must be `least` to `most`.
    pub(super) fn arguments(self, least: usize, most: usize) -> Result<&'a [Node], Problem> {
        match &self.argument.kind {
            Kind::List(nodes) if (least..=most).contains(&nodes.len()) => Ok(nodes),
            _ => {
                let name = self.name;
                let problem = if least == most {
                    format!("{name} takes a list of {least}")
                } else {
                    format!("{name} takes a list of {least} to {most}")
                };
                Err(self.place.problem(problem))
            }
        }
    }

    /// Returns the value of `And`, `Or` and `Not`, whose operands `holds` evaluates; `None` for another
    /// function.
    pub(super) fn connective(
        self,
        holds: impl Fn(&Node) -> Result<bool, Problem>,
    ) -> Result<Option<bool>, Problem> {
        let each = |nodes: &[Node]| nodes.iter().map(&holds).collect::<Result<Vec<_>, _>>();
        Ok(Some(match self.name {
            "Fn::Not" => each(self.arguments(1, 1)?)?.contains(&false),
            "Fn::And" => !each(self.arguments(2, 10)?)?.contains(&false),
            "Fn::Or" => each(self.arguments(2, 10)?)?.contains(&true),
            _ => return Ok(None),
        }))
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
