//! Injected faults of all services: the flag `--fault` sets them for people, the handles of a
//! [`RunningStack`](crate::RunningStack) for tests.

mod crashes;
mod killing;
mod parse;

use std::time::Duration;

use crate::{gateway, iam::Revoked, sqs};

pub use crashes::{Crashes, DiesAfter, Step};
pub(crate) use killing::KillingInvoker;
pub use parse::{NOTATIONS, Notation};

/// Injected faults. Shares are between 0, never, and 1, always.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Faults of posts and `$disconnect`.
    pub gateway: gateway::Faults,
    /// Faults of the queues.
    pub queues: sqs::Faults,
    /// The share of invocations from queues whose function is killed while it runs.
    pub killed: f64,
    /// The shares of calls after which the notifier's process dies.
    pub dies_after: DiesAfter,
    /// The age at which eventually consistent reads of DynamoDB see a write.
    pub stale_reads: Option<Duration>,
    /// The write units a second of one partition key of DynamoDB, for writes of functions.
    pub hot_partition: Option<f64>,
    /// The interval at which all rows of the tables expire at once.
    pub expire_rows_every: Option<Duration>,
    /// Permissions that the template grants and functions lose.
    pub revoked: Vec<Revoked>,
    /// The faults of the command line as they were written, for people.
    pub active: Vec<String>,
}
