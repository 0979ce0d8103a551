//! The two ways of a message: into its log and onto the notification queue, or over the bus.

use std::{collections::BTreeMap, time::SystemTime};

use futures_util::future::join_all;
use herald_shared::{
    audience::Audience,
    log::{LogRows, Published},
    protocol::{PublishResult, Refusal},
    push::Push,
    queue::EnqueueEach,
};
use tokio::time::Instant;

use super::{Bus, Outgoing};
use crate::{
    logs::Logs,
    outbox::{enqueue, store},
    reply::too_large,
};

/// The destinations of messages.
#[derive(Debug)]
pub struct Publisher<'a, Q, B, R> {
    /// The notification queue.
    pub queue: &'a Q,
    /// The event bus.
    pub bus: &'a B,
    /// The logs of audiences.
    pub logs: &'a Logs<R>,
}

/// A message after its log.
struct Logged {
    push: Push,
    /// True if it is not to be enqueued, because one of a version as high came before.
    stale: bool,
}

impl<Q: EnqueueEach, B: Bus, R: LogRows> Publisher<'_, Q, B, R> {
    /// Puts messages on the bus, and returns the result of each in order.
    pub(super) async fn put_on_bus(
        &self,
        outgoing: Vec<Result<Outgoing, Refusal>>,
        answer_by: Instant,
    ) -> Vec<PublishResult> {
        let events: Vec<_> = outgoing.iter().flatten().map(|sent| &sent.event).collect();
        let mut put = self.bus.put(&events, answer_by).await.into_iter();
        let mut result = |outgoing: Result<Outgoing, Refusal>| {
            let key = outgoing?.event.idempotency_key;
            let id_of_bus = put.next().expect("a result for each event")?;
            Ok::<_, Refusal>(PublishResult::Published {
                event_id: key.unwrap_or(id_of_bus),
                position: None,
                stale: false,
            })
        };
        outgoing
            .into_iter()
            .map(|outgoing| result(outgoing).unwrap_or_else(PublishResult::from))
            .collect()
    }

    /// Stores messages in the logs of their audiences, and enqueues them. Returns the result of each in order.
    pub(super) async fn enqueue(
        &self,
        outgoing: Vec<Result<Outgoing, Refusal>>,
        now: SystemTime,
        answer_by: Instant,
    ) -> Vec<PublishResult> {
        let mut logged = self.store(outgoing, now).await;
        let mut open: Vec<_> = logged
            .iter_mut()
            .filter(|logged| matches!(logged, Ok(Logged { stale: false, .. })))
            .collect();
        let pushes = open.iter().map(|logged| match logged {
            Ok(logged) => Ok(logged.push.clone()),
            Err(refusal) => Err(refusal.clone()),
        });
        let enqueued = enqueue(pushes.collect(), answer_by, self.queue).await;
        for (logged, enqueued) in open.iter_mut().zip(enqueued) {
            if let Err(refusal) = enqueued {
                **logged = Err(refusal);
            }
        }
        logged
            .into_iter()
            .map(|logged| match logged {
                Ok(Logged { push, stale }) => PublishResult::Published {
                    event_id: push.event_id,
                    position: push.position,
                    stale,
                },
                Err(refusal) => refusal.into(),
            })
            .collect()
    }

    /// Stores messages in the logs of their audiences: those of one audience together, and all audiences at
    /// the same time.
    async fn store(
        &self,
        outgoing: Vec<Result<Outgoing, Refusal>>,
        now: SystemTime,
    ) -> Vec<Result<Logged, Refusal>> {
        let mut audiences: BTreeMap<Audience, Vec<usize>> = BTreeMap::new();
        let mut logged = Vec::with_capacity(outgoing.len());
        for (index, outgoing) in outgoing.into_iter().enumerate() {
            logged.push(
                self.fitting(outgoing)
                    .map(|Outgoing { audience, push, .. }| {
                        audiences.entry(audience).or_default().push(index);
                        Logged { push, stale: false }
                    }),
            );
        }
        let stored = audiences.into_iter().map(async |(audience, indices)| {
            let pushes: Vec<_> = indices
                .iter()
                .filter_map(|&index| Some(logged[index].as_ref().ok()?.push.clone()))
                .collect();
            let stored = store(&pushes, &audience, self.logs, now).await;
            (indices, stored)
        });
        for (indices, stored) in join_all(stored).await {
            let stored = stored.unwrap_or_else(|refusal| vec![Err(refusal); indices.len()]);
            for (index, stored) in indices.into_iter().zip(stored) {
                match (&mut logged[index], stored) {
                    (Ok(logged), Ok(Published::Delivered(push))) => logged.push = push,
                    (Ok(logged), Ok(Published::Stale)) => logged.stale = true,
                    (logged, Err(refusal)) => *logged = Err(refusal),
                    (Err(_), Ok(_)) => {}
                }
            }
        }
        logged
    }

    /// Returns the message unless its frame is too large for the log of its audience.
    fn fitting(&self, outgoing: Result<Outgoing, Refusal>) -> Result<Outgoing, Refusal> {
        let outgoing = outgoing?;
        if self.logs.policy(&outgoing.audience).is_some() {
            let fits = outgoing.push.log_message().map(drop);
            fits.map_err(|error| too_large(error.length, error.limit))?;
        }
        Ok(outgoing)
    }
}
