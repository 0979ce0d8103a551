//! The renewal of a connection's member rows by a message that keeps it open.

use std::time::Duration;

use herald_shared::presence::RenewMembers;
use tokio::time::timeout;

use crate::message::Message;

/// The longest time that a renewal delays the reply.
const LONGEST: Duration = Duration::from_secs(4);

/// Renews the member rows of the message's connection. A failure is only logged: the client's next `ping` or
/// `sync` comes before the rows end.
pub(crate) async fn renew(message: &Message, store: &impl RenewMembers) {
    let caller = &message.caller;
    let renewal = store.renew_members(
        &message.connection,
        caller.user.as_ref(),
        caller.info.as_ref(),
    );
    match timeout(LONGEST, renewal).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(connection_id = %message.connection, error, "failed to renew member rows");
        }
        Err(_) => {
            tracing::warn!(connection_id = %message.connection, "the renewal of member rows timed out");
        }
    }
}

/// Returns the members of a stack without presence.
#[cfg(test)]
pub(crate) fn off() -> herald_shared::presence::Members<
    herald_shared::presence::memory::MemoryMemberRows,
    herald_shared::queue::memory::MemoryQueues,
> {
    use herald_shared::presence::{Members, Presence, memory::MemoryMemberRows};
    let rows = MemoryMemberRows::new(1);
    Members::new(
        rows,
        Default::default(),
        Presence::default(),
        std::time::SystemTime::now,
    )
}
