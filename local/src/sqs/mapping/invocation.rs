//! The invocation of a function with one batch, and the deletion of the successful records.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use tokio::sync::watch;
use tracing::{debug, warn};

use super::{answer, event};
use crate::{
    lambda::{Invocation, Invoke},
    sqs::{
        queue::Received,
        queues::{QueueId, Queues},
    },
    template::EventSourceMapping,
};

const FIRST_BACK_OFF: Duration = Duration::from_millis(200);
const MAX_BACK_OFF: Duration = Duration::from_secs(10);

/// The shared state of all batches of a mapping.
pub(super) struct Invoker {
    function: String,
    queue_arn: String,
    region: String,
    batch_size: usize,
    report_batch_item_failures: bool,
    queues: Arc<Queues>,
    queue: QueueId,
    lambda: Arc<dyn Invoke>,
}

/// The records of one invocation.
pub(super) struct Batch {
    records: Vec<Received>,
    event: Bytes,
}

impl Invoker {
    /// Makes the invoker of a mapping from `queue` to a function that `lambda` runs.
    pub(super) fn new(
        mapping: &EventSourceMapping,
        queues: Arc<Queues>,
        queue: QueueId,
        lambda: Arc<dyn Invoke>,
        region: String,
    ) -> Self {
        Self {
            function: mapping.function.clone(),
            queue_arn: mapping.queue.clone(),
            region,
            batch_size: mapping.batch_size,
            report_batch_item_failures: mapping.report_batch_item_failures,
            queues,
            queue,
            lambda,
        }
    }

    /// Returns whether no further record fits with these.
    pub(super) fn is_full(&self, records: &[Received]) -> bool {
        let size = records
            .iter()
            .map(|record| record.content.size())
            .sum::<usize>();
        records.len() >= self.batch_size || size >= event::MAXIMUM_EVENT
    }

    /// Splits the records, at least one, into the next batch and the rest that does not fit.
    pub(super) fn split(&self, mut records: Vec<Received>) -> (Batch, Vec<Received>) {
        let mut texts = records
            .iter()
            .map(|record| event::record(record, &self.queue_arn, &self.region))
            .collect::<Vec<_>>();
        let count = event::fitting(&texts, event::MAXIMUM_EVENT);
        texts.truncate(count);
        let rest = records.split_off(count);
        let event = event::event(&texts);
        (Batch { records, event }, rest)
    }

    /// Invokes the function and deletes the successful records; the failed ones become visible
    /// again by themselves. A refused invocation is retried with back-off until the records become
    /// visible or a shutdown starts.
    pub(super) async fn process(&self, batch: Batch, mut shutdown: watch::Receiver<bool>) {
        let hidden_until = batch.records.iter().map(|record| record.hidden_until).min();
        let mut pause = FIRST_BACK_OFF;
        loop {
            let reason = match self
                .lambda
                .invoke(&self.function, batch.event.clone())
                .await
            {
                Invocation::Returned(answer) => {
                    return self.settle(&batch.records, self.read(&answer, &batch.records));
                }
                Invocation::Failed(error) => {
                    let reason = format!("{}: {}", error.class(), error.error_message);
                    return self.settle(&batch.records, Err(reason));
                }
                Invocation::Refused(reason) => reason,
            };
            let next = self.queues.clock().now() + pause;
            if hidden_until.is_none_or(|end| next >= end) || !self.pause(next, &mut shutdown).await
            {
                return self.give_up(&batch.records, &reason);
            }
            pause = MAX_BACK_OFF.min(pause * 2);
        }
    }

    /// Waits. Returns `false` if a shutdown starts meanwhile.
    async fn pause(&self, until: SystemTime, shutdown: &mut watch::Receiver<bool>) -> bool {
        tokio::select! {
            () = self.queues.clock().sleep_until(until) => true,
            _ = shutdown.wait_for(|stop| *stop) => false,
        }
    }

    /// Returns the ids of the failed records, or the reason why all failed.
    fn read(&self, answer: &[u8], records: &[Received]) -> Result<HashSet<String>, String> {
        if !self.report_batch_item_failures {
            return Ok(HashSet::new());
        }
        let ids = records.iter().map(|record| record.id.as_str());
        answer::failures(answer, &ids.collect::<Vec<_>>())
    }

    fn settle(&self, records: &[Received], failed: Result<HashSet<String>, String>) {
        match failed {
            Ok(failed) => self.delete_succeeded(records, &failed),
            Err(reason) => warn!(
                function = self.function,
                queue = self.queue_arn,
                records = records.len(),
                failed = records.len(),
                reason,
                "batch failed; its messages become visible again when their visibility timeout ends"
            ),
        }
    }

    fn delete_succeeded(&self, records: &[Received], failed: &HashSet<String>) {
        for record in records.iter().filter(|record| !failed.contains(&record.id)) {
            // The handle is this queue's own, so the deletion cannot fail.
            let _ = self.queues.delete(self.queue, &record.receipt_handle);
        }
        debug!(
            function = self.function,
            queue = self.queue_arn,
            records = records.len(),
            failed = failed.len(),
            "batch processed"
        );
    }

    fn give_up(&self, records: &[Received], reason: &str) {
        warn!(
            function = self.function,
            queue = self.queue_arn,
            records = records.len(),
            reason,
            "batch not delivered: the invocation was refused; its messages become visible again when \
             their visibility timeout ends"
        );
    }
}
