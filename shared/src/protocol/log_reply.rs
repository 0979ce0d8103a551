//! The answer of a log in a reply.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::log::{Answer, Epoch, Excerpt, Position, Recovery};

/// The answer of an audience's log, without any field if the audience has no log.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LogReply {
    /// The epoch of the position. `None` before the first message of the log, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// The offset of the position: the client has, or has just got, every message up to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The last offset taken. The messages after `offset` are on their way, or follow if there is `more`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top: Option<u64>,
    /// True if every message since the client's position is in `messages`, or follows if there is `more`.
    /// False if some are lost. `None` if the client named no position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered: Option<bool>,
    /// The frames, as they were posted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Box<RawValue>>,
    /// True if further messages can be read from the position.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

impl From<Position> for LogReply {
    fn from(position: Position) -> Self {
        Self {
            epoch: position.epoch,
            offset: Some(position.offset),
            ..Self::default()
        }
    }
}

impl From<Excerpt> for LogReply {
    fn from(excerpt: Excerpt) -> Self {
        Self {
            top: Some(excerpt.top),
            messages: excerpt.messages,
            more: excerpt.more,
            ..Self::from(excerpt.position)
        }
    }
}

impl From<Recovery> for LogReply {
    fn from(recovery: Recovery) -> Self {
        match recovery {
            Recovery::Recovered(excerpt) => Self {
                recovered: Some(true),
                ..Self::from(excerpt)
            },
            Recovery::Lost(position) => Self {
                top: Some(position.offset),
                recovered: Some(false),
                ..Self::from(position)
            },
        }
    }
}

impl From<Answer> for LogReply {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Started(excerpt) => excerpt.into(),
            Answer::Recovery(recovery) => recovery.into(),
        }
    }
}
