//! Messages that were read from a log.

use herald_shared::log::Position;

use crate::{Push, Reply, machine::log_answer};

/// Messages of a log, in their order, as [`Client::history`](crate::Client::history) read them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Excerpt {
    /// The messages.
    pub messages: Vec<Push>,
    /// The position after them. `None` if the reply has none.
    pub position: Option<Position>,
    /// The last offset of the log.
    pub top: u64,
    /// True if messages since the wanted position are lost. `messages` is empty then.
    pub is_lost: bool,
    /// True if further messages follow the position.
    pub more: bool,
}

impl Excerpt {
    pub(crate) fn read(reply: &Reply) -> Self {
        let answer = log_answer(reply);
        Self {
            messages: answer.messages,
            position: answer.position,
            top: answer.top,
            is_lost: answer.is_lost,
            more: answer.more,
        }
    }
}
