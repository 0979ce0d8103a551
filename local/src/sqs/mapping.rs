//! The Lambda event source mapping: invokes a function with what arrives on a queue.
//!
//! Records are received only once an invocation can take them, so a busy function does not use up
//! their receive counts, which on AWS it may. Succeeded records are deleted; failed ones come back
//! when their visibility timeout ends, as Lambda does not shorten it.

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

/// How long one look at an empty queue takes.
const POLL: Duration = Duration::from_secs(20);

/// An event source mapping, ready to run.
pub struct Mapping {
    definition: EventSourceMapping,
    queues: Arc<Queues>,
    queue: QueueId,
    invoker: Arc<Invoker>,
}

/// A mapping names a queue that the template does not define.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "function {function} has the event source {queue}, a queue that the template does not define"
)]
pub struct UnknownQueue {
    function: String,
    queue: String,
}

impl Mapping {
    /// A mapping from one of the `queues` to a function that `lambda` runs; `region` is what records
    /// are told they come from.
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

    /// Runs until `shutdown` turns true or its sender is gone, then receives no more and returns when
    /// the last invocation has ended. Records gathered by then and not yet on their way come back when
    /// their visibility timeout ends. Dropping the future drops the invocations.
    pub async fn run(self, shutdown: watch::Receiver<bool>) {
        let mut running = JoinSet::new();
        let mut signal = shutdown.clone();
        tokio::select! {
            () = self.feed(&mut running, &shutdown) => {}
            // An error says that nobody is left to send the signal.
            _ = signal.wait_for(|stop| *stop) => {}
        }
        while running.join_next().await.is_some() {}
    }

    /// Starts one invocation after the other, for ever.
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

    /// Returns once fewer invocations run than may.
    async fn wait_for_room(&self, running: &mut JoinSet<()>, concurrency: &mut Concurrency) {
        while running.try_join_next().is_some() {}
        while running.len() >= concurrency.limit() {
            tokio::select! {
                _ = running.join_next() => {}
                () = concurrency.grown(|| self.queues.counts(self.queue).visible > 0) => {}
            }
        }
    }

    /// Gathers the records of one invocation: until there are enough, or they are large enough, or
    /// the window that began with the first has ended.
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
