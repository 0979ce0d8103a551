//! The authorizer's answer to the gateway.
//!
//! Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-lambda-authorizer-output.html>

use serde::Serialize;

use crate::tokens::Identity;

/// The maximum size of an answer in bytes; the gateway fails on a larger one.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
const LIMIT: usize = 8 * 1024;

/// The principal of a client without a user.
const ANONYMOUS: &str = "anonymous";

/// An answer that admits a client, with the context for later functions, or refuses it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizerAnswer {
    principal_id: String,
    policy_document: PolicyDocument,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyDocument {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    action: &'static str,
    effect: Effect,
    resource: String,
}

#[derive(Debug, Serialize)]
enum Effect {
    Allow,
    Deny,
}

/// The gateway accepts only text values. It repeats them with every later event of the connection.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_expires_at: Option<String>,
    permissions: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<String>,
}

/// The refusal of permissions that do not fit into an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer with the permissions is {0} bytes long, the limit is {LIMIT}")]
pub(super) struct TooLarge(usize);

impl AuthorizerAnswer {
    /// Returns an answer that allows the client to call only `method_arn`.
    ///
    /// # Errors
    ///
    /// Returns [`TooLarge`] if the answer would be over the gateway's limit.
    pub(super) fn allow(method_arn: &str, identity: Identity) -> Result<Self, TooLarge> {
        let user_id = identity.user.map(String::from);
        let context = Context {
            token_expires_at: identity
                .expires_at
                .map(|expiry| expiry.epoch_seconds().to_string()),
            permissions: identity.permissions.to_json(),
            info: identity.info.map(|info| info.to_string()),
            user_id: user_id.clone(),
        };
        let principal = user_id.unwrap_or_else(|| ANONYMOUS.to_owned());
        let answer = Self::new(principal, Effect::Allow, method_arn, Some(context));
        // Strings only: serde_json can refuse none of them.
        let length = serde_json::to_vec(&answer).map_or(0, |json| json.len());
        if length > LIMIT {
            return Err(TooLarge(length));
        }
        Ok(answer)
    }

    /// Returns an answer that refuses the client with 403.
    pub(super) fn deny(method_arn: &str) -> Self {
        Self::new(ANONYMOUS.to_owned(), Effect::Deny, method_arn, None)
    }

    fn new(
        principal_id: String,
        effect: Effect,
        method_arn: &str,
        context: Option<Context>,
    ) -> Self {
        Self {
            principal_id,
            policy_document: PolicyDocument {
                version: "2012-10-17",
                statement: [Statement {
                    action: "execute-api:Invoke",
                    effect,
                    resource: method_arn.to_owned(),
                }],
            },
            context,
        }
    }
}

#[cfg(test)]
mod tests {
    use herald_shared::{
        ids::UserId, permissions::Permissions, presence::Info, token_expiry::TokenExpiry,
    };
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/dev/$connect";

    fn identity(permissions: &str) -> Identity {
        Identity {
            user: UserId::new("alice").ok(),
            expires_at: Some(TokenExpiry::from_epoch_seconds(1_800_000_000)),
            permissions: Permissions::from_json(permissions).expect("permissions"),
            info: Info::from_json(r#"{"name": "Alice"}"#).ok(),
        }
    }

    #[test]
    fn answer_has_the_gateways_format() {
        let answer = AuthorizerAnswer::allow(ARN, identity(r#"{"order:*":["subscribe"]}"#));
        assert_eq!(
            serde_json::to_value(answer.expect("an answer")).expect("JSON"),
            json!({
                "principalId": "alice",
                "policyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": ARN}],
                },
                "context": {
                    "userId": "alice",
                    "tokenExpiresAt": "1800000000",
                    "permissions": r#"{"order:*":["subscribe"]}"#,
                    "info": r#"{"name":"Alice"}"#,
                },
            })
        );
    }

    #[test]
    fn anonymous_answer_has_neither_user_nor_expiry() {
        let anonymous = Identity {
            user: None,
            expires_at: None,
            permissions: Permissions::none(),
            info: None,
        };
        let answer = AuthorizerAnswer::allow(ARN, anonymous).expect("an answer");
        let answer = serde_json::to_value(answer).expect("JSON");
        assert_eq!(answer["principalId"], "anonymous");
        assert_eq!(answer["context"], json!({"permissions": "{}"}));
    }

    #[test]
    fn permissions_over_the_gateways_limit_are_too_large() {
        let patterns = |count: usize| {
            let patterns = (0..count).map(|number| format!(r#""order:{number}":["subscribe"]"#));
            identity(&format!("{{{}}}", patterns.collect::<Vec<_>>().join(",")))
        };
        assert!(AuthorizerAnswer::allow(ARN, patterns(200)).is_ok());
        assert!(AuthorizerAnswer::allow(ARN, patterns(400)).is_err());
    }
}
