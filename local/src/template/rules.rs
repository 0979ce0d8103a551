//! The template's `Rules`: what must hold of its parameters before anything is made.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html>
//!
//! Rules have functions of their own and see parameters only. `Fn::RefAll`, `Fn::ValueOf` and
//! `Fn::ValueOfAll` ask an account about its VPCs and keys, and there is none here.

use super::{
    conditions::Function,
    document::known_keys,
    error::Problem,
    parameters,
    scope::{Scope, Usage},
    yaml::{Kind, Node},
};

/// Errs with the first assertion that does not hold, in the words of its `AssertDescription`.
pub(super) fn check(scope: &Scope<'_>) -> Result<(), Problem> {
    let rules = &scope.document.rules;
    rules
        .iter()
        .try_for_each(|(name, rule)| check_rule(scope, rule, &format!("Rules.{name}")))
}

fn check_rule(scope: &Scope<'_>, rule: &Node, path: &str) -> Result<(), Problem> {
    known_keys(rule, path, &["RuleCondition", "Assertions"])?;
    if let Some(condition) = rule.entry("RuleCondition")
        && !holds(scope, condition, &format!("{path}.RuleCondition"))?
    {
        return Ok(());
    }
    let assertions = match rule.entry("Assertions").map(|node| &node.kind) {
        Some(Kind::List(assertions)) if !assertions.is_empty() => assertions,
        _ => {
            return Err(Problem::new(
                rule.position,
                path,
                "has no list of Assertions",
            ));
        }
    };
    assertions.iter().enumerate().try_for_each(|(index, node)| {
        check_assertion(scope, node, &format!("{path}.Assertions[{index}]"))
    })
}

fn check_assertion(scope: &Scope<'_>, assertion: &Node, path: &str) -> Result<(), Problem> {
    known_keys(assertion, path, &["Assert", "AssertDescription"])?;
    let problem = |reason: String| Problem::new(assertion.position, path, reason);
    let assert = assertion.entry("Assert");
    let assert = assert.ok_or_else(|| problem("Assert is missing".to_owned()))?;
    if holds(scope, assert, path)? {
        return Ok(());
    }
    let description = assertion.entry("AssertDescription");
    let description = description.and_then(Node::scalar_text);
    Err(problem(description.unwrap_or_else(|| {
        "does not hold for the parameters that are given".to_owned()
    })))
}

fn holds(scope: &Scope<'_>, node: &Node, path: &str) -> Result<bool, Problem> {
    let usage = Usage {
        path,
        position: node.position,
    };
    let function = Function::of(node, usage)?;
    if let Some(connected) = function.connect(|node| holds(scope, node, path))? {
        return Ok(connected);
    }
    let values = || -> Result<(Vec<String>, Vec<String>), Problem> {
        let [left, right] = function.arguments(2, 2)? else {
            return Err(usage.problem(format!("{} takes a list of 2", function.name)));
        };
        Ok((values(scope, left, path)?, values(scope, right, path)?))
    };
    Ok(match function.name {
        "Fn::Equals" => values().map(|(left, right)| left == right)?,
        "Fn::Contains" => {
            values().map(|(all, wanted)| wanted.iter().all(|value| all.contains(value)))?
        }
        "Fn::EachMemberEquals" => {
            values().map(|(all, wanted)| all.iter().all(|value| wanted.contains(value)))?
        }
        "Fn::EachMemberIn" => {
            values().map(|(all, allowed)| all.iter().all(|value| allowed.contains(value)))?
        }
        name => {
            return Err(usage.problem(format!(
                "{name} is not known in Rules here: use Equals, Contains, EachMemberEquals, \
                 EachMemberIn, And, Or or Not"
            )));
        }
    })
}

/// The texts that an operand stands for: a literal, a parameter, or a list of them.
fn values(scope: &Scope<'_>, node: &Node, path: &str) -> Result<Vec<String>, Problem> {
    let problem = |reason: String| Problem::new(node.position, path, reason);
    match &node.kind {
        Kind::Scalar(_) => Ok(vec![parameters::text(node)]),
        Kind::List(nodes) => {
            let values = nodes.iter().map(|node| values(scope, node, path));
            values
                .collect::<Result<Vec<_>, _>>()
                .map(|values| values.concat())
        }
        Kind::Call(name, argument) if name == "Ref" => {
            let name = argument.scalar_text().unwrap_or_default();
            let parameter = scope.parameter(&name);
            let parameter = parameter
                .ok_or_else(|| problem(format!("Rules see parameters only, and {name} is none")))?;
            self::values(scope, parameter, path)
        }
        _ => Err(problem(
            "Rules compare literals and !Ref of a parameter, and nothing else".to_owned(),
        )),
    }
}
