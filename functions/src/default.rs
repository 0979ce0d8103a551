//! `$default`: answers `ping`, and every frame without a route of its own.

use herald_shared::protocol::{Refusal, Request, ServerFrame};

use crate::message::Message;

/// Answers `ping` with a pong.
///
/// # Errors
///
/// Returns `unknown_action` for any other action.
pub async fn handle<'a>(
    _message: &'a Message,
    request: &'a Request<'a>,
) -> Result<ServerFrame<'a>, Refusal> {
    match request.action().as_deref() {
        Some("ping") => Ok(ServerFrame::Pong { id: request.id()? }),
        _ => Err(request.unknown_action()),
    }
}
