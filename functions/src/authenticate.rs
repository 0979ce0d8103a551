//! `authenticate`: the renewal of a connection's token.
//!
//! The connection keeps its user and its permissions: the gateway repeats those of its `$connect` with
//! every event, and no function can change them.

use std::time::SystemTime;

use herald_shared::{
    error_chain::error_chain,
    protocol::{Ack, ErrorCode, Refusal, Request, ServerFrame},
    store::ConnectionStore,
    token_expiry::TokenExpiry,
};

use crate::{
    admission::Admission,
    caller::Caller,
    message::Message,
    reply::{store_failure, unknown_connection},
    tokens::{Identity, Rejection, Token, Verifier},
};

/// Stores the new token's end on every row of the connection, and acknowledges with it.
///
/// # Errors
///
/// Returns `bad_request` if the frame is invalid or the stack uses no tokens, `unauthorized` or
/// `forbidden` if the token is not accepted, and the errors of [`Admission::admit_with_any_token`] and
/// of the store.
pub async fn handle<'a>(
    message: &'a Message,
    request: &'a Request<'a>,
    store: &impl ConnectionStore,
    admission: &Admission<'_, impl ConnectionStore>,
    verifier: &Verifier,
    now: SystemTime,
) -> Result<ServerFrame<'a>, Refusal> {
    let id = request.id()?;
    if verifier.anonymous().is_some() {
        return Err(nothing_to_renew());
    }
    let token = request.token()?;
    admission.admit_with_any_token(message).await?;
    let identity = identify(&token, verifier, now).await.map_err(refusal)?;
    let expires_at = renewal(&message.caller, &identity)?;
    let renewed = store.renew(&message.connection, expires_at);
    if !renewed.await.map_err(|error| store_failure(&error))? {
        return Err(unknown_connection());
    }
    Ok(ServerFrame::from(Ack {
        action: "authenticate",
        expires_at: Some(expires_at.epoch_seconds()),
        id,
        ..Ack::default()
    }))
}

async fn identify(
    token: &str,
    verifier: &Verifier,
    now: SystemTime,
) -> Result<Identity, Rejection> {
    verifier.verify(Token::new(token)?, now).await
}

/// Returns the end of the new token.
///
/// # Errors
///
/// Returns `forbidden` if the token has another user or other permissions than the connection.
fn renewal(caller: &Caller, identity: &Identity) -> Result<TokenExpiry, Refusal> {
    let other = |difference| {
        let message = format!(
            "the token has {difference} than this connection: open a new connection with it"
        );
        Refusal::new(ErrorCode::Forbidden, message)
    };
    if caller.user != identity.user {
        return Err(other("another user"));
    }
    if caller.permissions != identity.permissions {
        return Err(other("other permissions"));
    }
    identity.expires_at.ok_or_else(nothing_to_renew)
}

/// Returns the refusal of a stack without authentication.
fn nothing_to_renew() -> Refusal {
    Refusal::new(
        ErrorCode::BadRequest,
        "this stack uses no tokens: connections stay open without renewal",
    )
}

/// Returns the refusal for the client. The reason is only logged.
pub(crate) fn refusal(rejection: Rejection) -> Refusal {
    let reason = error_chain(&rejection);
    match rejection {
        Rejection::Unauthorized(_) => {
            tracing::warn!(reason, "a token was refused");
            Refusal::new(
                ErrorCode::Unauthorized,
                "the token is not accepted: get a new token",
            )
        }
        Rejection::Forbidden(_) => {
            tracing::warn!(reason, "a token was refused");
            Refusal::new(
                ErrorCode::Forbidden,
                "the token's permissions are invalid: get a new token",
            )
        }
        Rejection::Info { .. } => {
            tracing::warn!(reason, "a token was refused");
            Refusal::new(
                ErrorCode::Forbidden,
                "the token's heraldInfo is too long: get a new token",
            )
        }
        Rejection::Unavailable(_) => {
            tracing::error!(
                reason,
                "failed to load the keys, so no token can be checked"
            );
            Refusal::new(
                ErrorCode::Internal,
                "Herald cannot check tokens at the moment: send the frame again in a moment",
            )
        }
    }
}
