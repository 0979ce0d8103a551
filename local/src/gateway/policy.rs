//! Whether an authorizer's policy lets a client call a method. A statement that is more than effect,
//! action and resource, with a `Condition` say, cannot be read: to leave that out would let somebody
//! in.
//!
//! Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-lambda-authorizer-output.html>

use serde::Deserialize;

use crate::iam::{self, Decision, Effect, decide};

const ACTION: &str = "execute-api:Invoke";

/// The `policyDocument` an authorizer returns.
#[derive(Debug, Deserialize)]
#[serde(from = "Document")]
pub(super) struct Policy(Vec<iam::Statement>);

impl Policy {
    /// Whether some statement allows `method_arn` and none denies it.
    pub(super) fn allows(&self, method_arn: &str) -> bool {
        decide(&self.0, ACTION, method_arn) == Decision::Allowed
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    statement: OneOrMany<Statement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    #[serde(default, rename = "Sid")]
    _sid: String,
    effect: Effect,
    action: OneOrMany<String>,
    resource: OneOrMany<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::Many(many) => many,
            Self::One(one) => vec![one],
        }
    }
}

impl From<Document> for Policy {
    fn from(document: Document) -> Self {
        let statements = document.statement.into_vec().into_iter();
        Self(statements.map(iam::Statement::from).collect())
    }
}

impl From<Statement> for iam::Statement {
    fn from(statement: Statement) -> Self {
        Self {
            effect: statement.effect,
            actions: statement.action.into_vec(),
            resources: statement.resource.into_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod/$connect";

    fn allows(statements: &str) -> bool {
        let policy = format!(r#"{{"Version":"2012-10-17","Statement":{statements}}}"#);
        serde_json::from_str::<Policy>(&policy)
            .expect("a policy")
            .allows(ARN)
    }

    fn statement(effect: &str, resource: &str) -> String {
        format!(r#"{{"Action":"execute-api:Invoke","Effect":"{effect}","Resource":"{resource}"}}"#)
    }

    #[test]
    fn a_resource_is_matched_with_iam_wildcards() {
        for (resource, allowed) in [
            (ARN, true),
            ("*", true),
            ("arn:aws:execute-api:*:*:a1b2c3d4e5/prod/*", true),
            (
                "arn:aws:execute-api:us-east-?:123456789012:a1b2c3d4e5/prod/$connect",
                true,
            ),
            (
                "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod/*/*",
                false,
            ),
            (
                "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/dev/*",
                false,
            ),
            (
                "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod/$CONNECT",
                false,
            ),
        ] {
            assert_eq!(allows(&statement("Allow", resource)), allowed, "{resource}");
        }
    }

    #[test]
    fn a_deny_wins_and_no_statement_denies() {
        let (allow, deny) = (statement("Allow", "*"), statement("Deny", ARN));
        assert!(!allows(&format!("[{allow},{deny}]")));
        assert!(!allows(&deny));
        assert!(!allows("[]"));
        assert!(allows(&format!(
            "[{}, {allow}]",
            statement("Deny", "other")
        )));
    }

    #[test]
    fn what_cannot_be_decided_is_no_policy() {
        for more in [
            r#""Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#,
            r#""NotAction":"execute-api:Invoke""#,
        ] {
            let statement = statement("Allow", "*").replace('}', &format!(",{more}}}"));
            let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
            assert!(serde_json::from_str::<Policy>(&policy).is_err(), "{policy}");
        }
        let named = statement("Allow", "*").replace('}', r#","Sid":"all"}"#);
        assert!(allows(&named));
    }

    #[test]
    fn an_action_is_matched_as_well() {
        let with_action = |action: &str| {
            allows(&format!(
                r#"{{"Action":{action},"Effect":"Allow","Resource":["*"]}}"#
            ))
        };
        assert!(with_action(r#"["s3:*","EXECUTE-API:*"]"#));
        assert!(!with_action(r#""execute-api:ManageConnections""#));
    }
}
