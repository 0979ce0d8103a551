//! The activity record of a completed invocation.

use std::time::Duration;

use bytes::Bytes;

use super::{FunctionError, Invocation};
use crate::activity::{
    self, Activity, Excerpt, InvocationStatus, RecordKind, event_ids, milliseconds,
};

/// A completed invocation.
#[derive(Debug)]
pub(super) struct CompletedInvocation {
    request_id: Option<String>,
    /// The time of completion in epoch milliseconds. The record may be made later, when the
    /// function's output has been read.
    at: f64,
    duration: Duration,
    event: Bytes,
    invocation: Invocation,
}

impl CompletedInvocation {
    /// Makes an invocation with `event` that completes now, `duration` after its start. It has no
    /// request id if it did not run.
    pub(super) fn now(
        request_id: Option<String>,
        duration: Duration,
        event: Bytes,
        invocation: &Invocation,
    ) -> Self {
        Self {
            request_id,
            at: activity::now(),
            duration,
            event,
            invocation: invocation.clone(),
        }
    }

    /// Records this as an invocation of `function`, which printed `lines` meanwhile.
    pub(super) fn record(self, function: &str, lines: Vec<Excerpt>, activity: &Activity) {
        let records = event_ids::of_records(&self.event);
        let (queue, count, event_ids) = match records {
            Some(records) => {
                let queue = activity.queue_name(&records.queue);
                (Some(queue), Some(records.count), records.event_ids)
            }
            None => (None, None, self.answered_ids()),
        };
        let (outcome, error) = outcome(self.invocation);
        let invocation = RecordKind::Invocation {
            request_id: self.request_id,
            function: function.to_owned(),
            milliseconds: milliseconds(self.duration),
            outcome,
            error,
            event_ids,
            queue,
            records: count,
            logs: lines,
        };
        activity.record_at(self.at, invocation);
    }

    /// Returns the event ids in the function's answer to a client.
    fn answered_ids(&self) -> Vec<String> {
        match &self.invocation {
            Invocation::Returned(answer) => event_ids::of_answer(answer),
            Invocation::Failed(_) | Invocation::Refused(_) => Vec::new(),
        }
    }
}

fn outcome(invocation: Invocation) -> (InvocationStatus, Option<String>) {
    match invocation {
        Invocation::Returned(_) => (InvocationStatus::Ok, None),
        Invocation::Refused(reason) => (InvocationStatus::Refused, Some(reason)),
        Invocation::Failed(FunctionError {
            error_type,
            error_message,
        }) => {
            let outcome = match error_type.as_str() {
                "Sandbox.Timedout" => InvocationStatus::Timeout,
                "Runtime.ExitError" => InvocationStatus::Crashed,
                _ => InvocationStatus::Error,
            };
            (outcome, Some(error_message))
        }
    }
}
