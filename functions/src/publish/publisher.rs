//! The two ways of a message: into its log and onto the notification queue, or over the bus.

use std::{collections::BTreeMap, time::SystemTime};

use futures_util::future::join_all;
use herald_shared::{
    audience::Audience,
    log::{LogRows, Published},
    protocol::{ErrorCode, PublishResult, Refusal},
    push::Push,
    queue::EnqueueEach,
};
use tokio::time::Instant;

use super::Outgoing;
use crate::{
    bus::{Bus, PutError},
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

/// The maximum number of messages that are stored at once. Each may need a connection of its own, and at
/// its memory the function has a seventh of a processor for the TLS handshakes.
const AT_ONCE: usize = 25;

/// A message on its way through its log.
struct Logged {
    audience: Audience,
    push: Push,
    /// True if it is not to be enqueued, because one of a version as high came before.
    stale: bool,
}

impl From<Outgoing> for Logged {
    fn from(outgoing: Outgoing) -> Self {
        Self {
            audience: outgoing.audience,
            push: outgoing.push,
            stale: false,
        }
    }
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
            let key = outgoing?.idempotency_key;
            let id_of_bus = put.next().expect("a result for each event");
            let id_of_bus = id_of_bus.map_err(|error| refusal(&error))?;
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
        let mut logged = self.store(outgoing, now, answer_by).await;
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
                Ok(Logged { push, stale, .. }) => PublishResult::Published {
                    event_id: push.event_id,
                    position: push.position,
                    stale,
                },
                Err(refusal) => refusal.into(),
            })
            .collect()
    }

    /// Stores messages in the logs of their audiences.
    async fn store(
        &self,
        outgoing: Vec<Result<Outgoing, Refusal>>,
        now: SystemTime,
        answer_by: Instant,
    ) -> Vec<Result<Logged, Refusal>> {
        let fitting = outgoing.into_iter().map(|outgoing| self.fitting(outgoing));
        let mut logged: Vec<_> = fitting.map(|outgoing| outgoing.map(Logged::from)).collect();
        // One part after the other, so that an audience's messages are numbered in their order.
        for part in logged.chunks_mut(AT_ONCE) {
            self.store_part(part, now, answer_by).await;
        }
        logged
    }

    /// Stores messages: those of one audience together, and all audiences at the same time.
    async fn store_part(
        &self,
        part: &mut [Result<Logged, Refusal>],
        now: SystemTime,
        answer_by: Instant,
    ) {
        let mut audiences: BTreeMap<Audience, Vec<&mut Result<Logged, Refusal>>> = BTreeMap::new();
        for result in part {
            if let Ok(logged) = result {
                let audience = logged.audience.clone();
                audiences.entry(audience).or_default().push(result);
            }
        }
        let stored = audiences.into_iter().map(async |(audience, results)| {
            let of_audience = results.iter().filter_map(|result| result.as_ref().ok());
            let pushes: Vec<_> = of_audience.map(|logged| logged.push.clone()).collect();
            let stored = store(&pushes, &audience, self.logs, now, answer_by).await;
            let stored = stored.unwrap_or_else(|refusal| vec![Err(refusal); results.len()]);
            for (result, stored) in results.into_iter().zip(stored) {
                match (result, stored) {
                    (Ok(logged), Ok(Published::Delivered(push))) => logged.push = push,
                    (Ok(logged), Ok(Published::Stale)) => logged.stale = true,
                    (result, Err(refusal)) => *result = Err(refusal),
                    (Err(_), Ok(_)) => {}
                }
            }
        });
        join_all(stored).await;
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

fn refusal(error: &PutError) -> Refusal {
    match error {
        PutError::Throttled => Refusal::new(
            ErrorCode::Throttled,
            "too many events at once: send the message again in a moment",
        ),
        PutError::TimedOut | PutError::Failed(_) => Refusal::new(
            ErrorCode::Internal,
            "Herald failed to put the message on the bus: send it again in a moment",
        ),
    }
}
