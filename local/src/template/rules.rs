//! The template's `Rules`: the conditions that its parameters must meet before anything is created.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html>
//!
//! Rules see parameters only. Of their own functions, none is supported here: `Fn::Contains` and
//! `Fn::EachMember…` are rare, and `Fn::RefAll` and `Fn::ValueOf…` read VPCs and keys of an account.

use super::{
    conditions::ConditionFunction,
    document::report_unknown_keys,
    error::Problem,
    parameters,
    scope::{Place, Scope},
    yaml::{Kind, Node},
};

/// Reports every assertion that does not hold, in the words of its `AssertDescription`.
pub(super) fn check(scope: &Scope<'_>) {
    for (name, rule) in &scope.document.rules {
        let checked = check_rule(scope, rule, &format!("Rules.{name}"));
        scope.problems.value(checked);
    }
}

fn check_rule(scope: &Scope<'_>, rule: &Node, path: &str) -> Result<(), Problem> {
    report_unknown_keys(rule, path, &["RuleCondition", "Assertions"], scope.problems);
    if let Some(condition) = rule.entry("RuleCondition")
        && !holds(scope, condition, &format!("{path}.RuleCondition"))?
    {
        return Ok(());
    }
    let assertions = match rule.entry("Assertions").map(|node| &node.kind) {
        Some(Kind::List(assertions)) if !assertions.is_empty() => assertions,
        _ => {
            let reason = "must have a list of Assertions";
            return Err(Problem::new(rule.position, path, reason));
        }
    };
    for (index, node) in assertions.iter().enumerate() {
        let checked = check_assertion(scope, node, &format!("{path}.Assertions[{index}]"));
        scope.problems.value(checked);
    }
    Ok(())
}

fn check_assertion(scope: &Scope<'_>, assertion: &Node, path: &str) -> Result<(), Problem> {
    let known = ["Assert", "AssertDescription"];
    report_unknown_keys(assertion, path, &known, scope.problems);
    let problem = |reason: String| Problem::new(assertion.position, path, reason);
    let assert = assertion.entry("Assert");
    let assert = assert.ok_or_else(|| problem("Assert is missing".to_owned()))?;
    if holds(scope, assert, path)? {
        return Ok(());
    }
    let description = assertion.entry("AssertDescription");
    let description = description.and_then(Node::scalar_text);
    Err(problem(description.unwrap_or_else(|| {
        "does not hold for the values of the parameters".to_owned()
    })))
}

fn holds(scope: &Scope<'_>, node: &Node, path: &str) -> Result<bool, Problem> {
    let place = Place {
        path,
        position: node.position,
    };
    let function = ConditionFunction::of(node, place)?;
    if let Some(value) = function.connective(|node| holds(scope, node, path))? {
        return Ok(value);
    }
    match function.name {
        "Fn::Equals" => {
            let operands = function.arguments(2, 2)?.iter();
            let texts = operands.map(|operand| text(scope, operand, path));
            let texts = texts.collect::<Result<Vec<_>, _>>()?;
            Ok(texts[0] == texts[1])
        }
        name => Err(place.problem(format!(
            "{name} is not supported in Rules: use Equals, And, Or or Not"
        ))),
    }
}

/// Returns the text of an operand: a literal or a parameter.
fn text(scope: &Scope<'_>, node: &Node, path: &str) -> Result<String, Problem> {
    let problem = |reason: String| Problem::new(node.position, path, reason);
    match &node.kind {
        Kind::Scalar(_) => Ok(parameters::text(node)),
        Kind::Call(name, argument) if name == "Ref" => {
            let name = argument.scalar_text().unwrap_or_default();
            let parameter = scope.parameter(&name);
            let parameter = parameter.ok_or_else(|| {
                problem(format!(
                    "there is no parameter {name}: Rules see parameters only"
                ))
            })??;
            Ok(parameters::text(&parameter))
        }
        _ => Err(problem(
            "Rules compare only literals and !Ref of a parameter".to_owned(),
        )),
    }
}
