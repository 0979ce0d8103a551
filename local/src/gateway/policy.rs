//! An authorizer's policy, which allows or denies a client's call of a method. A statement with
//! more than effect, action and resource, such as a `Condition`, is an error: ignoring it could
//! admit a client that AWS refuses.
//!
//! Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-lambda-authorizer-output.html>

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::iam::{self, Decision, Effect, decide};

const ACTION: &str = "execute-api:Invoke";

/// The versions of the policy language. The older one is the default.
///
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html>
const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];

/// The `policyDocument` an authorizer returns.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub(super) struct Policy(Vec<iam::Statement>);

impl Policy {
    /// Returns whether some statement allows `method_arn` and none denies it.
    pub(super) fn allows(&self, method_arn: &str) -> bool {
        decide(&self.0, ACTION, method_arn) == Decision::Allowed
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    #[serde(default = "older")]
    version: String,
    #[serde(default, rename = "Id")]
    _id: String,
    statement: OneOrMany<Statement>,
}

#[derive(Deserialize)]
#[serde(try_from = "Map<String, Value>")]
struct Statement(iam::Statement);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StatementMembers {
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

impl TryFrom<Map<String, Value>> for Policy {
    type Error = String;

    fn try_from(document: Map<String, Value>) -> Result<Self, String> {
        let document: Document = read(document)?;
        if !VERSIONS.contains(&document.version.as_str()) {
            let [newer, older] = VERSIONS;
            return Err(format!(
                "Version must be {newer} or {older}, got {}",
                document.version
            ));
        }
        let statements = document.statement.into_vec().into_iter();
        Ok(Self(statements.map(|statement| statement.0).collect()))
    }
}

impl TryFrom<Map<String, Value>> for Statement {
    type Error = String;

    fn try_from(statement: Map<String, Value>) -> Result<Self, String> {
        let statement: StatementMembers = read(statement)?;
        Ok(Self(iam::Statement {
            effect: statement.effect,
            actions: not_empty("Action", statement.action.into_vec())?,
            resources: not_empty("Resource", statement.resource.into_vec())?,
        }))
    }
}

/// Reads an object. Its type is a map because serde would also accept an array of the members'
/// values.
fn read<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(members.into()).map_err(|error| error.to_string())
}

fn not_empty(member: &str, values: Vec<String>) -> Result<Vec<String>, String> {
    if values.is_empty() || values.iter().any(String::is_empty) {
        Err(format!("{member} must not be empty"))
    } else {
        Ok(values)
    }
}

fn older() -> String {
    VERSIONS[1].to_owned()
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
    fn resource_is_matched_with_iam_wildcards() {
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
    fn deny_overrides_allow_and_is_the_default() {
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
    fn statement_with_condition_or_not_action_is_refused() {
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
    fn action_is_matched_with_iam_wildcards() {
        let with_action = |action: &str| {
            allows(&format!(
                r#"{{"Action":{action},"Effect":"Allow","Resource":["*"]}}"#
            ))
        };
        assert!(with_action(r#"["s3:*","EXECUTE-API:*"]"#));
        assert!(!with_action(r#""execute-api:ManageConnections""#));
    }
}
