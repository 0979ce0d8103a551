//! `authenticate`: a connection goes on with a newer token.
//!
//! It stays the same user's with the same permissions: those went with the connection's events to every
//! function since it was opened, and nobody could take them back.

use std::time::SystemTime;

use herald_shared::{
    in_full::in_full,
    protocol::{Ack, ErrorCode, Refusal, Request, ServerFrame},
    store::ConnectionStore,
    token_expiry::TokenExpiry,
};

use crate::{
    admission::Admission,
    caller::Caller,
    message::Message,
    reply::{not_known, store_failed},
    tokens::{Identity, Rejection, Token, Verifier},
};

/// Acknowledges once everything of the connection has the new token's end, and says when that is.
pub async fn handle<'a>(
    message: &'a Message,
    request: &'a Request<'a>,
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
    let renewed = admission.store().renew(&message.connection, expires_at);
    if !renewed.await.map_err(|error| store_failed(&error))? {
        return Err(not_known());
    }
    Ok(ServerFrame::Ack(Ack {
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

/// When the token ends, if it makes nobody else of the connection.
fn renewal(caller: &Caller, identity: &Identity) -> Result<TokenExpiry, Refusal> {
    let other = |what| {
        let message = format!("the token has {what} than this connection: connect again with it");
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

/// The refusal where there are no tokens.
fn nothing_to_renew() -> Refusal {
    Refusal::new(
        ErrorCode::BadRequest,
        "connections have no tokens here: there is nothing to renew",
    )
}

/// What the client is told; the log has the reason.
fn refusal(rejection: Rejection) -> Refusal {
    let reason = in_full(&rejection);
    match rejection {
        Rejection::Unauthorized(_) => {
            tracing::warn!(reason, "a token was refused");
            Refusal::new(
                ErrorCode::Unauthorized,
                "the token is not accepted: get a new one",
            )
        }
        Rejection::Forbidden(_) => {
            tracing::warn!(reason, "a token was refused");
            Refusal::new(
                ErrorCode::Forbidden,
                "the token's permissions cannot be understood: get another one",
            )
        }
        Rejection::Unavailable(_) => {
            tracing::error!(reason, "no token can be checked");
            Refusal::new(
                ErrorCode::Internal,
                "tokens cannot be checked just now: send it again in a moment",
            )
        }
    }
}
