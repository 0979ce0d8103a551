//! The decision that the statements of several policies make together.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use super::wildcard::matches;
use crate::template::{Effect, Statement};

/// The decision of all statements about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Allowed,
    /// No statement allows it.
    NotAllowed,
    /// A statement denies it.
    Denied,
}

/// Returns the decision of `statements` about performing `action` on `resource`.
pub(crate) fn decide<'a>(
    statements: impl IntoIterator<Item = &'a Statement>,
    action: &str,
    resource: &str,
) -> Decision {
    let matching = statements
        .into_iter()
        .filter(|statement| is_about(statement, action, resource));
    matching.fold(Decision::NotAllowed, |decision, statement| {
        match (decision, statement.effect) {
            (Decision::Denied, _) | (_, Effect::Deny) => Decision::Denied,
            (_, Effect::Allow) => Decision::Allowed,
        }
    })
}

/// IAM compares actions without regard to case.
fn is_about(statement: &Statement, action: &str, resource: &str) -> bool {
    let action = action.to_lowercase();
    let mut actions = statement.actions.iter();
    let mut resources = statement.resources.iter();
    actions.any(|pattern| matches(&pattern.to_lowercase(), &action))
        && resources.any(|pattern| matches(pattern, resource))
}

#[cfg(test)]
mod tests {
    use super::{Decision::*, Effect::*, *};

    const TABLE: &str = "arn:aws:dynamodb:us-east-1:123456789012:table/T";

    fn statement(effect: Effect, action: &str, resource: &str) -> Statement {
        Statement {
            effect,
            actions: vec!["logs:PutLogEvents".to_owned(), action.to_owned()],
            resources: vec!["arn:aws:logs:::none".to_owned(), resource.to_owned()],
        }
    }

    #[test]
    fn action_is_allowed_on_the_resources_of_its_statement() {
        for (action, resource, decision) in [
            ("dynamodb:Query", TABLE, Allowed),
            ("DynamoDB:query", TABLE, Allowed),
            ("dynamodb:Q*", TABLE, Allowed),
            ("dynamodb:*", "arn:aws:dynamodb:*:*:table/T*", Allowed),
            ("*", "*", Allowed),
            ("dynamodb:Scan", TABLE, NotAllowed),
            ("dynamodb:Query", "arn:aws:dynamodb:*:*:table/t", NotAllowed),
            (
                "dynamodb:Query",
                "arn:aws:dynamodb:us-east-1:123456789012:table/T/index/*",
                NotAllowed,
            ),
        ] {
            let statements = [statement(Allow, action, resource)];
            let decided = decide(&statements, "dynamodb:Query", TABLE);
            assert_eq!(decided, decision, "{action} {resource}");
        }
    }

    #[test]
    fn deny_overrides_allow_in_any_order() {
        let allow = statement(Allow, "*", "*");
        let deny = statement(Deny, "dynamodb:Query", TABLE);
        let other = statement(Deny, "dynamodb:Scan", TABLE);
        for (statements, decision) in [
            (vec![], NotAllowed),
            (vec![&deny], Denied),
            (vec![&allow, &deny], Denied),
            (vec![&deny, &allow], Denied),
            (vec![&other, &allow], Allowed),
            (vec![&other], NotAllowed),
        ] {
            let decided = decide(statements.clone(), "dynamodb:Query", TABLE);
            assert_eq!(decided, decision, "{statements:?}");
        }
    }
}
