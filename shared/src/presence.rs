//! Presence: the users who are subscribed to an entity, and the frames that tell of changes.
//!
//! [`Members`] is presence: it knows in which order rows are written and read. The rows themselves are behind
//! the trait [`MemberRows`]: [`DynamoDbMemberRows`] has them in the connection table, `memory::MemoryMemberRows`
//! in memory, `failing::FailingMemberRows` over either with failures.
//!
//! - **A member is a connection,** and is listed as its user, with the number of the user's connections.
//!   Anonymous connections are counted.
//! - **A member row obeys the numbers of the connection's changes,** as a listener row does, and is written
//!   before it. A row that leaves is marked and stays until a flush has told of it, so an older write that
//!   arrives late changes nothing.
//! - **A change schedules one flush** for the whole entity: a message that the queue delays by the interval.
//!   The flush removes its schedule before it reads anything, so a change that it does not see schedules
//!   another one.
//! - **A flush retires rows before it tells that a user left:** it marks them as left and not announced. So a
//!   user who comes back is told of again, whatever the flush and others did meanwhile.
//! - **A flush commits before it tells anything,** on condition that no other flush has committed since it read
//!   the set. So a frame with a higher version was computed from later rows.
//! - **It then posts, marks and removes rows,** each on condition that the row is as the flush saw it. A flush
//!   that stops repeats its frame with a higher version when the queue delivers it again.
//! - **A row ends** [`MEMBER_LIFETIME`] after the connection's last `subscribe`, `ping` or `sync`. A flush that
//!   leaves members schedules one for the first of them to end.
//!
//! Times come from a clock that the caller chooses.

mod changes;
#[cfg(feature = "aws")]
mod dynamodb;
#[cfg(any(test, feature = "fakes"))]
pub mod failing;
mod flushing;
mod info;
#[cfg(any(test, feature = "fakes"))]
pub mod memory;
mod policy;
mod renewing;
mod rows;
mod scheduling;
mod snapshot;
mod users;

use std::time::{Duration, SystemTime};

#[cfg(feature = "aws")]
pub use dynamodb::{DynamoDbMemberRows, PresenceTable};
pub use flushing::{FlushError, Flushed};
pub use info::{Info, InvalidInfo};
pub use policy::{INTERVAL_LIMITS, InvalidPresence, MEMBERS_LIMIT, Presence, PresencePolicy};
pub use renewing::RenewMembers;
pub use rows::{
    Begun, Commit, Committed, Flush, FlushReason, Joined, Joining, Member, MemberPage, MemberRow,
    MemberRows, SetRow,
};
pub use snapshot::{MembersBudget, ReadPresence};

use crate::token_expiry::since_epoch;

/// The time that a member row is kept after the connection's last `subscribe`, `ping` or `sync`: that of
/// silence after which API Gateway closes a connection.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
pub const MEMBER_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// The longest time from one `ping` or `sync` of a member's connection to the next, which `subscribe` demands of its
/// client. It is less than half of [`MEMBER_LIFETIME`], so a row that one of them renewed outlives
/// the loss of the next.
pub const KEEP_ALIVE: Duration = Duration::from_secs(4 * 60);

/// The members of entities, over `rows`, with the flushes that tell of them on `queue`.
#[derive(Clone, Debug)]
pub struct Members<R, Q, C = fn() -> SystemTime> {
    rows: R,
    queue: Q,
    presence: Presence,
    clock: C,
}

impl<R, Q, C: Fn() -> SystemTime> Members<R, Q, C> {
    /// Returns the members of the entities that have a policy in `presence`.
    pub fn new(rows: R, queue: Q, presence: Presence, clock: C) -> Self {
        Self {
            rows,
            queue,
            presence,
            clock,
        }
    }

    /// Returns the policies.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Returns the rows.
    #[cfg(any(test, feature = "fakes"))]
    pub fn rows(&self) -> &R {
        &self.rows
    }

    /// Returns the queue.
    #[cfg(any(test, feature = "fakes"))]
    pub fn queue(&self) -> &Q {
        &self.queue
    }

    /// Returns the time in whole seconds since the Unix epoch.
    fn now(&self) -> u64 {
        since_epoch((self.clock)()).as_secs()
    }
}
