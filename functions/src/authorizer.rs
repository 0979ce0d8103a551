//! The authorizer on `$connect`: decides whether a client may connect, as which user and with which
//! permissions.
//!
//! It runs once per connection, and the gateway repeats its context with every later event, so no other
//! function looks anything up to decide what a client may do. A refused client gets only a status: 401
//! for its token, 403 for its origin, its permissions or its info, 500 if tokens cannot be checked at the moment.
//! The log has the reason, but never a token.

mod answer;
mod origins;
mod placement;
mod request;
mod unavailable;

use std::{error::Error, time::SystemTime};

use herald_shared::error_chain::error_chain;

pub use answer::AuthorizerAnswer;
pub use origins::{AllowedOrigins, InvalidOrigin, Origin};
pub use request::AuthorizerRequest;
pub use unavailable::KeysUnavailable;

use crate::tokens::{Identity, Rejection, Verifier};

/// The only message of a failed authorizer that the gateway answers with 401; any other becomes a 500.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html>
const UNAUTHORIZED: &str = "Unauthorized";

/// Decides whether a client may connect at `now`.
///
/// # Errors
///
/// Returns `Unauthorized` if the client's token is not accepted. Returns another message, and counts it
/// in `unavailable`, if the keys or the secret for the check cannot be loaded.
pub async fn handle(
    request: AuthorizerRequest,
    origins: &AllowedOrigins,
    verifier: &Verifier,
    unavailable: &KeysUnavailable,
    now: SystemTime,
) -> Result<AuthorizerAnswer, lambda_runtime::Error> {
    let arn = &request.method_arn;
    if let Some(origin) = request
        .header("origin")
        .find(|origin| !origins.allow(origin))
    {
        tracing::warn!(
            origin,
            "denied a client: AllowedOrigins does not contain its origin"
        );
        return Ok(AuthorizerAnswer::deny(arn));
    }
    match identify(&request, verifier, now).await {
        Ok(identity) => Ok(
            AuthorizerAnswer::allow(arn, identity).unwrap_or_else(|too_large| {
                denied(&too_large);
                AuthorizerAnswer::deny(arn)
            }),
        ),
        Err(Rejection::Unauthorized(reason)) => {
            tracing::warn!(reason = error_chain(&reason), "refused a client's token");
            Err(UNAUTHORIZED.into())
        }
        Err(malformed @ (Rejection::Forbidden(_) | Rejection::Info { .. })) => {
            denied(&malformed);
            Ok(AuthorizerAnswer::deny(arn))
        }
        Err(failure @ Rejection::Unavailable(_)) => {
            tracing::error!(
                reason = error_chain(&failure),
                "failed to load the keys, so no client can connect"
            );
            unavailable.count(now);
            Err("tokens cannot be checked".into())
        }
    }
}

async fn identify(
    request: &AuthorizerRequest,
    verifier: &Verifier,
    now: SystemTime,
) -> Result<Identity, Rejection> {
    match verifier.anonymous() {
        Some(anonymous) => Ok(anonymous),
        None => verifier.verify(placement::token(request)?, now).await,
    }
}

fn denied(reason: &dyn Error) {
    tracing::warn!(reason = error_chain(reason), "denied a client");
}
