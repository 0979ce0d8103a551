//! An invocation that has ended, as whoever watches the stack is told of it.

use std::time::Duration;

use bytes::Bytes;

use super::{FunctionError, Invocation};
use crate::activity::{Activity, Excerpt, Happening, Outcome, event_ids, milliseconds};

/// An invocation that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its request id, if it had one.
    pub(super) request_id: Option<String>,
    /// How long its caller waited.
    pub(super) duration: Duration,
    /// What the function was invoked with.
    pub(super) event: Bytes,
    /// What came of it.
    pub(super) invocation: Invocation,
}

impl Ended {
    /// The record of an invocation of `function`, which has printed these lines.
    pub(super) fn happening(
        self,
        function: &str,
        lines: Vec<Excerpt>,
        activity: &Activity,
    ) -> Happening {
        let records = event_ids::of_records(&self.event);
        let (queue, count, event_ids) = match records {
            Some(records) => {
                let queue = activity.queue_name(&records.queue);
                (Some(queue), Some(records.count), records.event_ids)
            }
            None => (None, None, self.answered_ids()),
        };
        let (outcome, error) = outcome(self.invocation);
        Happening::Invocation {
            request_id: self.request_id,
            function: function.to_owned(),
            milliseconds: milliseconds(self.duration),
            outcome,
            error,
            event_ids,
            queue,
            records: count,
            logs: lines,
        }
    }

    /// The events that the function's answer to a client names.
    fn answered_ids(&self) -> Vec<String> {
        match &self.invocation {
            Invocation::Returned(answer) => event_ids::of_answer(answer),
            Invocation::Failed(_) | Invocation::Refused(_) => Vec::new(),
        }
    }
}

fn outcome(invocation: Invocation) -> (Outcome, Option<String>) {
    match invocation {
        Invocation::Returned(_) => (Outcome::Ok, None),
        Invocation::Refused(reason) => (Outcome::Refused, Some(reason)),
        Invocation::Failed(FunctionError {
            error_type,
            error_message,
        }) => {
            let outcome = match error_type.as_str() {
                "Sandbox.Timedout" => Outcome::Timeout,
                "Runtime.ExitError" => Outcome::Crashed,
                _ => Outcome::Error,
            };
            (outcome, Some(format!("{error_type}: {error_message}")))
        }
    }
}
