//! `$default`: the reply to `ping`, which renews the member rows of the connection, and the refusal of frames
//! without a route of their own.

use herald_shared::{
    presence::RenewMembers,
    protocol::{Refusal, Request, ServerFrame},
};

use crate::{members, message::Message};

/// Answers `ping` with a pong. Without a `store`, connections have no member rows.
///
/// # Errors
///
/// Returns `unknown_action` for any other action.
pub async fn handle<'a>(
    message: &'a Message,
    request: &'a Request<'a>,
    store: Option<&impl RenewMembers>,
) -> Result<ServerFrame<'a>, Refusal> {
    match request.action().as_deref() {
        Some("ping") => {
            let id = request.id()?;
            if let Some(store) = store {
                members::renew(message, store).await;
            }
            Ok(ServerFrame::Pong { id })
        }
        _ => Err(request.unknown_action()),
    }
}
