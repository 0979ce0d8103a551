//! The authorizer on `$connect`: who may connect, as whom, and with which permissions.
//!
//! It runs once per connection, and what it says of the client goes with every later event: no other
//! function looks anything up to decide what a client may do. A client that is refused learns the
//! status alone: 401 for its token, 403 for its origin or its permissions, 500 if tokens cannot be
//! checked just now. The log has the reason, and no token.

mod answer;
mod origins;
mod placement;
mod request;
mod unavailable;

use std::{error::Error, time::SystemTime};

use herald_shared::in_full::in_full;

pub use answer::AuthorizerAnswer;
pub use origins::{AllowedOrigins, InvalidOrigin, Origin};
pub use request::AuthorizerRequest;
pub use unavailable::KeysUnavailable;

use crate::tokens::{Identity, Rejection, Verifier};

/// The one message of a failed authorizer that the gateway answers 401; any other is a 500.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html>
const UNAUTHORIZED: &str = "Unauthorized";

/// Answers whether a client may connect at `now`.
///
/// # Errors
///
/// Returns `Unauthorized` if the client's token is not good. Returns another message, and counts it in
/// `unavailable`, if the keys or the secret to check it with cannot be fetched.
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
            "a client was denied: its origin is not one of AllowedOrigins"
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
            tracing::warn!(reason = in_full(&reason), "a client was refused");
            Err(UNAUTHORIZED.into())
        }
        Err(malformed @ Rejection::Forbidden(_)) => {
            denied(&malformed);
            Ok(AuthorizerAnswer::deny(arn))
        }
        Err(failure @ Rejection::Unavailable(_)) => {
            tracing::error!(reason = in_full(&failure), "no client can be let in");
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
    tracing::warn!(reason = in_full(reason), "a client was denied");
}
