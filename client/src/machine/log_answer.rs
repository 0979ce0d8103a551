//! The answer of an audience in a reply.

use herald_shared::log::Position;

use super::presence_frame::PresenceSnapshot;
use crate::Push;

/// The fields of an audience in a reply: those of its log, which are empty if it has none, and its presence.
#[derive(Debug, Default)]
pub(crate) struct LogAnswer {
    /// The position after the messages. `None` if the audience has no log.
    pub(crate) position: Option<Position>,
    /// The last offset that was taken.
    pub(crate) top: u64,
    /// True if messages since the client's position are lost.
    pub(crate) is_lost: bool,
    /// The messages, in their order.
    pub(crate) messages: Vec<Push>,
    /// True if further messages follow the position.
    pub(crate) more: bool,
    /// The presence of the entity. `None` if it has none, or was not asked for.
    pub(crate) presence: Option<PresenceSnapshot>,
}
