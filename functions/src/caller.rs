//! The identity and the permissions of a connection, as the authorizer found them when it was opened.
//! The gateway repeats them with every event.
//!
//! A token that was renewed since is not visible here, only on the connection's row.

use std::collections::HashMap;

use herald_shared::{
    ids::{InvalidId, UserId},
    permissions::{InvalidPermissions, Permissions},
    presence::{Info, InvalidInfo},
    token_expiry::TokenExpiry,
};
use serde_json::Value;

/// The context key of the user's id. A connection without it is anonymous.
pub const USER_ID: &str = "userId";

/// The context key of the end of the token, in epoch seconds. A connection without it has no token.
pub const TOKEN_EXPIRES_AT: &str = "tokenExpiresAt";

/// The context key of the permissions, as JSON text. A connection without it has no permissions.
pub const PERMISSIONS: &str = "permissions";

/// The context key of what other members see of the user, as JSON text. A token need not have it.
pub const INFO: &str = "info";

/// The connection's user, token and permissions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The user. `None` if the connection is anonymous.
    pub user: Option<UserId>,
    /// The end of the token that the connection was opened with. `None` if it has no token.
    pub token_expires_at: Option<TokenExpiry>,
    /// The connection's permissions.
    pub permissions: Permissions,
    /// The info about the user that other members see.
    pub info: Option<Info>,
}

/// The reason the authorizer's context is invalid. Such a context is not from Herald's authorizer.
#[derive(Debug, thiserror::Error)]
pub enum InvalidContext {
    /// The user id is invalid.
    #[error("the authorizer's userId is invalid")]
    UserId(#[source] InvalidId),
    /// The end of the token is not a number.
    #[error("the authorizer's tokenExpiresAt is {0:?}: it must be epoch seconds")]
    TokenExpiresAt(String),
    /// The permissions are invalid.
    #[error("the authorizer's permissions are invalid")]
    Permissions(#[source] InvalidPermissions),
    /// The info is invalid.
    #[error("the authorizer's info is invalid")]
    Info(#[source] InvalidInfo),
}

impl Caller {
    /// Reads the authorizer's context. API Gateway passes numbers on as text.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidContext`] if a value is invalid.
    pub fn from_context(context: &HashMap<String, Value>) -> Result<Self, InvalidContext> {
        let user = text(context, USER_ID).map(UserId::new).transpose();
        let permissions = text(context, PERMISSIONS)
            .map(|json| Permissions::from_json(&json))
            .transpose();
        let info = text(context, INFO)
            .map(|json| Info::from_json(&json))
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
            info: info.map_err(InvalidContext::Info)?,
        })
    }
}

/// Returns a value of the context as text. `None` if it is absent.
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
    fn expiry_is_read_from_number_or_text() {
        for expiry in [json!("1764000000"), json!(1_764_000_000)] {
            let caller = read(json!({
                "principalId": "ann", "userId": "ann", "tokenExpiresAt": expiry,
                "permissions": r#"{"order:*":["subscribe"]}"#, "integrationLatency": 21,
                "info": r#"{"name":"Ann"}"#,
            }));
            let expected = Caller {
                user: Some(UserId::new("ann").expect("an id")),
                token_expires_at: Some(TokenExpiry::from_epoch_seconds(1_764_000_000)),
                permissions: Permissions::from_json(r#"{"order:*":["subscribe"]}"#).expect("JSON"),
                info: Info::from_json(r#"{"name":"Ann"}"#).ok(),
            };
            assert_eq!(caller.expect("a caller"), expected);
        }
    }

    #[test]
    fn missing_context_is_anonymous_without_permissions() {
        assert_eq!(read(json!({})).expect("a caller"), Caller::default());
        assert_eq!(
            read(json!({"principalId": "ann"})).expect("a caller"),
            Caller::default()
        );
    }

    #[test]
    fn invalid_context_is_refused_with_message() {
        for (context, message) in [
            (json!({"userId": ""}), "the authorizer's userId is invalid"),
            (
                json!({"tokenExpiresAt": "soon"}),
                r#"the authorizer's tokenExpiresAt is "soon": it must be epoch seconds"#,
            ),
            (
                json!({"permissions": "[]"}),
                "the authorizer's permissions are invalid",
            ),
            (json!({"info": "{"}), "the authorizer's info is invalid"),
        ] {
            let error = read(context).expect_err(message);
            assert_eq!(error.to_string(), message);
        }
    }
}
