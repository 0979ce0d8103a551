//! Who a connection is and what it may do: what the authorizer found out when it was opened, which the
//! gateway repeats with every event.
//!
//! A token that was renewed since is not seen here; the connection's row knows.

use std::collections::HashMap;

use herald_shared::{
    ids::{InvalidId, UserId},
    permissions::{InvalidPermissions, Permissions},
    token_expiry::TokenExpiry,
};
use serde_json::Value;

/// The context key of the user's id. A connection without it is anonymous.
pub const USER_ID: &str = "userId";

/// The context key of the end of the token, in epoch seconds. A connection without it has no token.
pub const TOKEN_EXPIRES_AT: &str = "tokenExpiresAt";

/// The context key of the permissions, as JSON text. A connection without it may do nothing.
pub const PERMISSIONS: &str = "permissions";

/// The connection's user, token and permissions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The user; none: anonymous.
    pub user: Option<UserId>,
    /// When the token ends that the connection was opened with; none: it has no token.
    pub token_expires_at: Option<TokenExpiry>,
    /// What the connection may do.
    pub permissions: Permissions,
}

/// Why the authorizer's context cannot be worked with. It is not from Herald's authorizer then.
#[derive(Debug, thiserror::Error)]
pub enum InvalidContext {
    /// The user id is none.
    #[error("the authorizer's userId")]
    UserId(#[source] InvalidId),
    /// The end of the token is no number.
    #[error("the authorizer's tokenExpiresAt is {0:?}: it must be epoch seconds")]
    TokenExpiresAt(String),
    /// The permissions cannot be read.
    #[error("the authorizer's permissions")]
    Permissions(#[source] InvalidPermissions),
}

impl Caller {
    /// Reads the authorizer's context. API Gateway hands on numbers as text.
    pub fn from_context(context: &HashMap<String, Value>) -> Result<Self, InvalidContext> {
        let user = text(context, USER_ID).map(UserId::new).transpose();
        let permissions = text(context, PERMISSIONS)
            .map(|json| Permissions::from_json(&json))
            .transpose();
        Ok(Self {
            user: user.map_err(InvalidContext::UserId)?,
            token_expires_at: text(context, TOKEN_EXPIRES_AT)
                .map(|seconds| match seconds.parse() {
                    Ok(seconds) => Ok(TokenExpiry::from_epoch_seconds(seconds)),
                    Err(_) => Err(InvalidContext::TokenExpiresAt(seconds)),
                })
                .transpose()?,
            permissions: permissions
                .map_err(InvalidContext::Permissions)?
                .unwrap_or_default(),
        })
    }
}

/// A value of the context as text; none if it is absent.
fn text(context: &HashMap<String, Value>, key: &str) -> Option<String> {
    match context.get(key)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(context: Value) -> Result<Caller, InvalidContext> {
        let context = context.as_object().expect("an object").clone();
        Caller::from_context(&context.into_iter().collect())
    }

    #[test]
    fn numbers_may_have_become_text() {
        for expiry in [json!("1764000000"), json!(1_764_000_000)] {
            let caller = read(json!({
                "principalId": "ann", "userId": "ann", "tokenExpiresAt": expiry,
                "permissions": r#"{"order:*":["subscribe"]}"#, "integrationLatency": 21,
            }));
            let expected = Caller {
                user: Some(UserId::new("ann").expect("an id")),
                token_expires_at: Some(TokenExpiry::from_epoch_seconds(1_764_000_000)),
                permissions: Permissions::from_json(r#"{"order:*":["subscribe"]}"#).expect("JSON"),
            };
            assert_eq!(caller.expect("a caller"), expected);
        }
    }

    #[test]
    fn what_the_authorizer_did_not_say_is_not_given() {
        assert_eq!(read(json!({})).expect("a caller"), Caller::default());
        assert_eq!(
            read(json!({"principalId": "ann"})).expect("a caller"),
            Caller::default()
        );
    }

    #[test]
    fn what_is_wrong_with_the_context_is_said() {
        for (context, said) in [
            (json!({"userId": ""}), "the authorizer's userId"),
            (
                json!({"tokenExpiresAt": "soon"}),
                r#"the authorizer's tokenExpiresAt is "soon": it must be epoch seconds"#,
            ),
            (json!({"permissions": "[]"}), "the authorizer's permissions"),
        ] {
            let error = read(context).expect_err(said);
            assert_eq!(error.to_string(), said);
        }
    }
}
