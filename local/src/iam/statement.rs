//! Statements of policies, and what they decide together.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use serde::Deserialize;

use super::wildcard::matches;

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it says of the calls it is about.
    pub effect: Effect,
    /// The actions it is about, with wildcards; IAM compares them without regard to case.
    pub actions: Vec<String>,
    /// The ARNs it is about, with wildcards.
    pub resources: Vec<String>,
}

/// What a statement says of the calls it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Effect {
    /// They are allowed, unless another statement denies them.
    Allow,
    /// They are denied, whatever other statements say.
    Deny,
}

/// What the statements of all policies say of a call together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Allowed,
    /// No statement allows it.
    NotAllowed,
    /// A statement denies it.
    Denied,
}

/// What `statements` say of performing `action` on `resource`.
pub(crate) fn decide<'a>(
    statements: impl IntoIterator<Item = &'a Statement>,
    action: &str,
    resource: &str,
) -> Decision {
    let about_it = statements
        .into_iter()
        .filter(|statement| statement.is_about(action, resource));
    about_it.fold(Decision::NotAllowed, |decision, statement| {
        match (decision, statement.effect) {
            (Decision::Denied, _) | (_, Effect::Deny) => Decision::Denied,
            (_, Effect::Allow) => Decision::Allowed,
        }
    })
}

impl Statement {
    fn is_about(&self, action: &str, resource: &str) -> bool {
        let action = action.to_lowercase();
        let mut actions = self.actions.iter();
        let mut resources = self.resources.iter();
        actions.any(|pattern| matches(&pattern.to_lowercase(), &action))
            && resources.any(|pattern| matches(pattern, resource))
    }
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
    fn an_action_is_allowed_on_the_resources_of_its_statement() {
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
    fn a_deny_wins_wherever_it_stands_and_nothing_allows_nothing() {
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
