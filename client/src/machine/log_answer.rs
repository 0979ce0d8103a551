//! The answer of a log in a reply.

use herald_shared::log::Position;

use crate::Push;

/// The fields of a log in a reply. All are empty if the audience has no log.
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
}
