//! The log of an audience: its last messages, numbered, so that a client that was away gets every one of
//! them once and in order, or learns that it cannot.
//!
//! [`Log`] is the log: it knows in which order rows are written and what a reader may conclude from them.
//! The rows themselves are behind the trait [`LogRows`]: [`DynamoDbLogRows`] has them in a table,
//! `memory::MemoryLogRows` in memory, `failing::FailingLogRows` over either with failures.
//! [`publish`] and [`subscribe`] are the two orders of steps that a function must not change.
//!
//! - **A head and rows.** The head of a log has its [`Epoch`] and `top`, the last claimed offset. Each message
//!   has a row of its own under its offset, from 1 without gaps.
//! - **Claiming an offset remembers the event.** One conditional update does both, so a redelivered event has
//!   the offset that it had. The head remembers the last event of each of 32 slots.
//! - **A row is written once.** If a reader has filled the offset meanwhile, or the row may have been removed
//!   since, the event claims a new one.
//! - **The row comes before the audience is read**, and the listener row of a subscriber before the head is.
//!   So a message is in the log when the subscriber reads it, or the subscriber in the audience when the
//!   message is posted.
//! - **A reader is told the highest offset up to which nothing is missing**, and `top`: an offset between them
//!   is claimed and its message not stored yet.
//! - **A hole is filled** by a reader once it is older than [`FILL_AFTER`]: its writer may have stopped for
//!   good. Only `sync` and `history` fill.
//! - **Rows expire in the order of their offsets**, as each counts from the moment its offset was claimed. A row
//!   that is present proves that none after it has expired. A reader without such a proof answers that the
//!   messages are lost.
//! - **A log keeps the retention that it was begun with.** A policy with another one begins a new epoch.
//!
//! Every operation is told the time; none reads a clock. Only the retries of a throttled row are timed by
//! tokio.

use std::{
    error::Error,
    fmt,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use crate::{protocol::MESSAGE_LIMIT, token_expiry::since_epoch};

mod appending;
#[cfg(feature = "aws")]
mod dynamodb;
mod event_tag;
#[cfg(any(test, feature = "fakes"))]
pub mod failing;
mod frame;
#[cfg(any(test, feature = "fakes"))]
pub mod memory;
mod patience;
pub mod policy;
mod publishing;
mod reading;
mod rows;
mod subscribing;

pub use appending::Message;
#[cfg(feature = "aws")]
pub use dynamodb::{DynamoDbLogRows, LogTable};
pub use event_tag::{EventTag, SLOTS};
pub use frame::POSITION_BYTES;
pub use policy::{History, LogPolicy};
pub use publishing::{Published, Stored, publish};
pub use reading::{Budget, Excerpt, Reach, Recovery, Selection, Synced};
pub use rows::{
    Claim, Claimed, ClaimedEvent, Consistency, Content, Head, LastValue, LogRow, LogRows, Put,
    Remembered, Retention, RowPage,
};
pub use subscribing::{Answer, Start, Subscriber, subscribe};

/// The age from which a reader fills a hole. It is far longer than storing a row needs; a writer that
/// is slower still claims a new offset, so no message depends on this time.
pub const FILL_AFTER: Duration = Duration::from_secs(10);

/// The most by which clocks of functions may differ, and by which two rows may therefore expire in the
/// wrong order: a row proves nothing in its last minute.
pub const CLOCK_MARGIN: Duration = Duration::from_secs(60);

/// The time that a head is kept after the last message. It is longer than any row is kept.
pub const HEAD_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The maximum size of a frame in a log, in bytes, before its position is added. The frame has to fit into
/// the reply to a `history`, which has the limit of every message, beside the reply's other fields.
pub const FRAME_LIMIT: usize = MESSAGE_LIMIT - 2 * 1024;

/// The number of tries of a write while other writers come between.
const TRIES: u32 = 10;

/// The logs over `rows`.
#[derive(Clone, Debug)]
pub struct Log<R> {
    rows: R,
}

impl<R: LogRows> Log<R> {
    /// Returns the logs over these rows.
    pub fn over(rows: R) -> Self {
        Self { rows }
    }

    /// Returns the rows.
    pub fn rows(&self) -> &R {
        &self.rows
    }
}

/// One life of a log. Offsets are comparable only within one epoch: a log whose head was deleted, or whose
/// retention changed, begins another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Epoch(String);

/// A text is not an [`Epoch`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an epoch must be 8 ASCII letters or digits, got {0:?}")]
pub struct InvalidEpoch(String);

impl Epoch {
    /// The number of its characters: 62^8 epochs, far more than one audience will have.
    const LENGTH: usize = 8;

    /// Returns a random epoch.
    pub fn random() -> Self {
        Self(
            (0..Self::LENGTH)
                .map(|_| fastrand::alphanumeric())
                .collect(),
        )
    }

    /// Checks `text`.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidEpoch`] if it is not 8 ASCII letters or digits.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidEpoch> {
        let text = text.into();
        if text.len() == Self::LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            Ok(Self(text))
        } else {
            Err(InvalidEpoch(text))
        }
    }

    /// Returns the epoch's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for Epoch {
    type Error = InvalidEpoch;

    fn try_from(text: String) -> Result<Self, InvalidEpoch> {
        Self::new(text)
    }
}

impl From<Epoch> for String {
    fn from(epoch: Epoch) -> Self {
        epoch.0
    }
}

/// A place in a log: a client at a position has, or knows to be lost, every message up to its offset.
///
/// As JSON `{"epoch":"k3J9x2Qa","offset":42}`, and `{"offset":0}` for [`Position::START`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The epoch. `None` only at the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// The offset of the last message before it.
    pub offset: u64,
}

impl Position {
    /// The position in a log that has no message yet, and so no epoch. A subscribe finds it by reading, and
    /// writes nothing. To recover from it is to recover every message since the log was begun, whatever its
    /// epoch: the first message that the subscriber gets, or recovers, tells it the epoch.
    pub const START: Self = Self {
        epoch: None,
        offset: 0,
    };

    /// Returns the position after the message of that offset.
    pub fn after(epoch: Epoch, offset: u64) -> Self {
        Self {
            epoch: Some(epoch),
            offset,
        }
    }
}

/// The reason an operation of the log failed. Nothing is undone: the same call again completes
/// it.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The table, or the log's head, admits no more requests at the moment.
    ///
    /// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>
    /// (1,000 write units a second for one partition key)
    #[error("the history table is throttled")]
    Throttled(#[source] Box<dyn Error + Send + Sync>),
    /// Other writers changed the log during every try.
    #[error("failed to {step}: other writers changed the log during {TRIES} tries")]
    Contended {
        /// The task, e.g. `claim an offset`.
        step: &'static str,
    },
    /// The table did not answer, or refused for a reason outside the request: a permission, a table that
    /// does not exist.
    #[error("failed to {step}")]
    Failed {
        /// The task, e.g. `read the log's head`.
        step: &'static str,
        /// The table's error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The table refuses the request itself, however often it is sent.
    #[error("the history table refuses to {step}")]
    Refused {
        /// The task, e.g. `store a message`.
        step: &'static str,
        /// The table's error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl LogError {
    /// Returns whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Throttled(_) | Self::Contended { .. } | Self::Failed { .. } => true,
            Self::Refused { .. } => false,
        }
    }
}

/// Returns the time since the Unix epoch in whole milliseconds, as rows have it.
fn in_milliseconds(now: SystemTime) -> Duration {
    let now = since_epoch(now);
    now - Duration::from_nanos((now.subsec_nanos() % 1_000_000).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_is_json_with_or_without_epoch() {
        let epoch = Epoch::new("k3J9x2Qa").expect("an epoch");
        for (position, json) in [
            (Position::START, r#"{"offset":0}"#),
            (
                Position::after(epoch, 42),
                r#"{"epoch":"k3J9x2Qa","offset":42}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&position).expect("JSON"), json);
            let read: Position = serde_json::from_str(json).expect(json);
            assert_eq!(read, position);
        }
    }

    #[test]
    fn epoch_is_eight_letters_or_digits() {
        for bad in ["", "1234567", "123456789", "1234567#", "träume1"] {
            assert!(Epoch::new(bad).is_err(), "{bad}");
        }
        let random = Epoch::random();
        assert_eq!(Epoch::new(random.as_str()), Ok(random.clone()));
        assert_ne!(random, Epoch::random());
    }
}
