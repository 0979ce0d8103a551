//! The numbers of records since the start, which outlast the records.

use std::collections::BTreeMap;

use super::record::{InvocationStatus, RecordKind};

/// The number of records of some kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Messages of clients.
    pub(crate) requests: u64,
    /// Replies to them.
    pub(crate) replies: u64,
    /// Posts that were accepted.
    pub(crate) posts: u64,
    /// The invocations that ran, by the function's logical id.
    pub(crate) invocations: BTreeMap<String, u64>,
}

impl Totals {
    pub(super) fn count(&mut self, record: &RecordKind) {
        match record {
            RecordKind::Request { reply, .. } => {
                self.requests += 1;
                self.replies += u64::from(reply.is_some());
            }
            RecordKind::Post { status: 200, .. } => self.posts += 1,
            RecordKind::Invocation {
                function, outcome, ..
            } if *outcome != InvocationStatus::Refused => {
                match self.invocations.get_mut(function) {
                    Some(count) => *count += 1,
                    None => drop(self.invocations.insert(function.clone(), 1)),
                }
            }
            _ => {}
        }
    }
}
