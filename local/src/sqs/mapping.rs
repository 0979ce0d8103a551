//! The Lambda event source mapping, which invokes a function with the messages of a queue.
//!
//! Records are received only when an invocation is free for them, so a busy function does not
//! increase their receive counts; on AWS it may. Successful records are deleted; failed ones become
//! visible again when their visibility timeout ends, because Lambda does not shorten it.

mod answer;
mod concurrency;
mod event;
mod invocation;

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet};

use self::{concurrency::Concurrency, invocation::Invoker};
use super::{
    queue::Received,
    queues::{QueueId, Queues},
};
use crate::{lambda::Invoke, template::EventSourceMapping};

/// The duration of one long poll.
const POLL: Duration = Duration::from_secs(20);

/// An event source mapping, ready to run.
pub struct Mapping {
    definition: EventSourceMapping,
    queues: Arc<Queues>,
    queue: QueueId,
    invoker: Arc<Invoker>,
}

/// The error of a mapping whose queue is not in the template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "function {function} has the event source {queue}, which is not a queue of the template; add the queue or correct the event source"
)]
pub struct UnknownQueue {
    function: String,
    queue: String,
}

impl Mapping {
    /// Makes a mapping from one of the `queues` to a function that `lambda` runs. `region` is the
    /// `awsRegion` of the records.
    ///
    /// # Errors
    ///
    /// Returns [`UnknownQueue`] if no queue has the mapping's ARN.
    pub fn new(
        definition: EventSourceMapping,
        queues: Arc<Queues>,
        lambda: Arc<dyn Invoke>,
        region: String,
    ) -> Result<Self, UnknownQueue> {
        let queue = queues
            .with_arn(&definition.queue)
            .ok_or_else(|| UnknownQueue {
                function: definition.function.clone(),
                queue: definition.queue.clone(),
            })?;
        let invoker = Invoker::new(&definition, Arc::clone(&queues), queue, lambda, region);
        Ok(Self {
            definition,
            queues,
            queue,
            invoker: Arc::new(invoker),
        })
    }

    /// Runs until `shutdown` is true or its sender is dropped, then stops receiving and returns
    /// when the last invocation has ended. Records that were gathered but not sent become visible
    /// again when their visibility timeout ends. Dropping the future drops the invocations.
    pub async fn run(self, shutdown: watch::Receiver<bool>) {
        let mut running = JoinSet::new();
        let mut signal = shutdown.clone();
        tokio::select! {
            () = self.feed(&mut running, &shutdown) => {}
            // An error means that the sender was dropped.
            _ = signal.wait_for(|stop| *stop) => {}
        }
        while running.join_next().await.is_some() {}
    }

    /// Starts one invocation after the other and never returns.
    async fn feed(&self, running: &mut JoinSet<()>, shutdown: &watch::Receiver<bool>) {
        let mut concurrency = Concurrency::new(self.definition.maximum_concurrency);
        let mut carried = Vec::new();
        loop {
            self.wait_for_room(running, &mut concurrency).await;
            let records = self.gather(std::mem::take(&mut carried)).await;
            if records.is_empty() {
                concurrency.reset();
                continue;
            }
            let (batch, rest) = self.invoker.split(records);
            carried = rest;
            let invoker = Arc::clone(&self.invoker);
            let shutdown = shutdown.clone();
            running.spawn(async move { invoker.process(batch, shutdown).await });
        }
    }

    /// Waits until fewer invocations run than the limit.
    async fn wait_for_room(&self, running: &mut JoinSet<()>, concurrency: &mut Concurrency) {
        while running.try_join_next().is_some() {}
        while running.len() >= concurrency.limit() {
            tokio::select! {
                _ = running.join_next() => {}
                () = concurrency.grown(|| self.queues.counts(self.queue).visible > 0) => {}
            }
        }
    }

    /// Gathers the records of one invocation until the batch or the event is full, or the window
    /// that starts with the first record has ended.
    async fn gather(&self, carried: Vec<Received>) -> Vec<Received> {
        let mut records = carried;
        if records.is_empty() {
            records = self.receive(self.definition.batch_size, POLL).await;
        }
        let clock = self.queues.clock();
        let window_end = clock.now() + self.definition.window;
        while !records.is_empty() && !self.invoker.is_full(&records) {
            let room = self.definition.batch_size - records.len();
            let Ok(left) = window_end.duration_since(clock.now()) else {
                break;
            };
            if left.is_zero() {
                break;
            }
            records.extend(self.receive(room, left).await);
        }
        records
    }

    async fn receive(&self, maximum: usize, wait: Duration) -> Vec<Received> {
        self.queues.receive(self.queue, maximum, None, wait).await
    }
}

#[cfg(test)]
mod tests;
