//! What goes wrong on purpose, all of it: for people by the flag `--fault`, for tests by the handles
//! of a [`RunningStack`](crate::RunningStack).

mod killing;
mod parse;

use std::time::Duration;

use crate::{gateway, iam::Revoked, sqs};

pub(crate) use killing::KillSome;

/// What goes wrong on purpose. Shares are between 0, never, and 1, always.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// With posts and `$disconnect`.
    pub gateway: gateway::Faults,
    /// With the queues.
    pub queues: sqs::Faults,
    /// The share of invocations of the functions behind queues that are killed while they run.
    pub killed: f64,
    /// The age at which a row is seen by reads of DynamoDB that do not ask for consistency.
    pub stale_reads: Option<Duration>,
    /// How often all rows of the tables expire at once.
    pub expire_rows_every: Option<Duration>,
    /// What functions may not do, though the template grants it.
    pub revoked: Vec<Revoked>,
}
