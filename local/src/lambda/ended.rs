//! An invocation that has ended, as whoever watches the stack is told of it.

use std::time::Duration;

use bytes::Bytes;

use super::{FunctionError, Invocation};
use crate::activity::{
    self, Activity, Excerpt, InvocationStatus, RecordKind, event_ids, milliseconds,
};

/// An invocation that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    request_id: Option<String>,
    /// In epoch milliseconds. It may be told later, when all that the function printed is read.
    at: f64,
    duration: Duration,
    event: Bytes,
    invocation: Invocation,
}

impl Ended {
    /// An invocation with `event` that ends now, after its caller has waited for `duration`. It had no
    /// request id if it was not run.
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

    /// Records this as an invocation of `function`, which has printed these lines meanwhile.
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

    /// The events that the function's answer to a client names.
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
