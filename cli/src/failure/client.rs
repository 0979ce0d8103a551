//! Failures of a WebSocket client and its requests.

use std::fmt;

use herald_client::{AttemptError, ErrorCode, RequestError, StopReason};
use herald_shared::error_chain::error_chain;

use super::Failure;

/// Makes a failure from a failed attempt to connect to `address`.
pub(crate) fn attempt_failure(address: &str, error: &AttemptError) -> Failure {
    match error {
        AttemptError::Refused { status: 401 } => Failure::refused(format!(
            "{address} refused the token, or requires one (401): pass a valid token with --token, \
             HERALD_TOKEN or --token-command"
        )),
        AttemptError::Refused { status: 403 } => Failure::refused(format!(
            "{address} refused the connection (403): check the stage at the end of the address and the \
             permissions in the token"
        )),
        AttemptError::Refused { .. } => {
            Failure::unavailable(format!("cannot connect to {address}: {error}"))
        }
        AttemptError::TimedOut => Failure::unavailable(format!("{address} did not answer in time")),
        AttemptError::Unreachable(cause) => Failure::unavailable(format!(
            "cannot connect to {address}: {}; start the local stack with \
             `cargo run -p herald-local`, or correct --web-socket, --endpoint or --stack",
            error_chain(&**cause)
        )),
        error => anyhow::Error::msg(error_chain(error)).into(),
    }
}

/// Makes a failure from the reason for which a client stopped for good.
pub(crate) fn stop_failure(reason: &StopReason) -> Failure {
    match reason {
        StopReason::Refused { .. } | StopReason::Disconnected { .. } => {
            Failure::refused(reason.to_string())
        }
        reason => anyhow::Error::msg(reason.to_string()).into(),
    }
}

/// Makes a failure from a failed request. `context` says what could not be done.
pub(crate) fn request_failure(context: impl fmt::Display, error: &RequestError) -> Failure {
    let message = format!("{context}: {}", error_chain(error));
    let is_refused = matches!(error, RequestError::Server(error)
        if matches!(error.code(), Some(ErrorCode::Forbidden | ErrorCode::Unauthorized)));
    match error {
        _ if is_refused => Failure::refused(message),
        RequestError::Expired => Failure::unavailable(message),
        _ => anyhow::Error::msg(message).into(),
    }
}
