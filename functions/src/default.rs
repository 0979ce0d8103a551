//! `$default`: answers `ping`, and everything that no route of its own answers.

use herald_shared::protocol::{Refusal, Request, ServerFrame};

use crate::message::Message;

/// Answers `ping` with a pong and refuses anything else as an unknown action.
pub async fn handle<'a>(
    _message: &'a Message,
    request: &'a Request<'a>,
) -> Result<ServerFrame<'a>, Refusal> {
    match request.action().as_deref() {
        Some("ping") => Ok(ServerFrame::Pong { id: request.id()? }),
        _ => Err(request.unknown_action()),
    }
}
