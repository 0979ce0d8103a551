//! Delivery of a push: reads one page of its audience, posts to everybody in it, and puts back on
//! the queue what it could not do.
//!
//! Plain code over narrow traits; it knows neither Lambda, DynamoDB nor HTTP. Its clock is tokio's,
//! which tests pause.
//!
//! - **A large audience.** What is beyond the page goes back to the queue as ranges of the audience
//!   before the first post, so that several notifiers work at once.
//! - **Retry** is decided here alone. A connection that answered 429 or 5xx, or not at all, is tried
//!   again after a pause, and nobody else is. What is left when the tries or the time are used up
//!   goes back to the queue by name, and to the dead-letter queue after the last attempt.
//! - **Gone** is not a failure: the connection is forgotten, after the posts.
//! - **A token that ended.** Its connection does not get the push but a last frame that says so, and is
//!   closed and forgotten. It is found where it costs nothing: the audience's rows say when the token
//!   ends, so a connection is closed when a push would have reached it, and until then it gets nothing.

mod backoff;
mod posting;
mod requeue;
mod settings;
#[cfg(test)]
mod tests;

use std::{
    ops::AddAssign,
    time::{Duration, SystemTime},
};

use futures_util::{StreamExt, stream};
use tokio::{sync::Semaphore, time::Instant};

pub use settings::Settings;

use crate::{
    audience::{Audience, Range, Recipient},
    post::Post,
    push::{Push, Recipients},
    queue::{DeadLetter, Enqueue, EnqueueError},
    store::{Forget, ReadAudience, StoreError},
};

/// Delivers pushes.
#[derive(Debug)]
pub struct Delivery<'a, S, P, Q> {
    store: &'a S,
    poster: &'a P,
    queue: &'a Q,
    settings: Settings,
    /// Bounds the posts of all pushes that are delivered at the same time.
    in_flight: Semaphore,
}

/// What became of one push. All are counts of connections unless they say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Those that this part of the push was for.
    pub audience: usize,
    /// Those that took it.
    pub delivered: usize,
    /// Those that were gone and are forgotten.
    pub gone: usize,
    /// Those that were closed and are forgotten.
    pub disconnected: usize,
    /// Posts that were answered 429.
    pub throttled: usize,
    /// Posts that were made again within this attempt.
    pub retried: usize,
    /// Those that go back to the queue by name.
    pub requeued: usize,
    /// Those that went to the dead-letter queue.
    pub dead_lettered: usize,
    /// Messages put on the queue for the ranges beyond the page.
    pub continuations: usize,
    /// When the last post was taken.
    pub last_post_at: Option<SystemTime>,
}

/// Both together: the sums, and the later last post.
impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.audience += other.audience;
        self.delivered += other.delivered;
        self.gone += other.gone;
        self.disconnected += other.disconnected;
        self.throttled += other.throttled;
        self.retried += other.retried;
        self.requeued += other.requeued;
        self.dead_lettered += other.dead_lettered;
        self.continuations += other.continuations;
        self.last_post_at = self.last_post_at.max(other.last_post_at);
    }
}

/// Why a push was not delivered. It is to be delivered again as a whole, unless it is too large.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The audience could not be read; nobody got the push.
    #[error("the audience could not be read")]
    Audience(#[from] StoreError),
    /// What is left could not be put on the queue; some may have got the push.
    #[error("what is left of the push could not be put back on the queue")]
    PutBack(#[from] EnqueueError),
    /// The gateway takes no frame of this size; nobody gets the push.
    #[error("the frame of {length} bytes is too large for the gateway")]
    TooLarge {
        /// The frame's length in bytes.
        length: usize,
    },
}

impl<'a, S, P, Q> Delivery<'a, S, P, Q>
where
    S: ReadAudience + Forget,
    P: Post,
    Q: Enqueue + DeadLetter,
{
    /// Delivers from `store` through `poster`, and puts what is left on `queue`.
    pub fn new(store: &'a S, poster: &'a P, queue: &'a Q, settings: Settings) -> Self {
        Self {
            store,
            poster,
            queue,
            in_flight: Semaphore::new(settings.in_flight),
            settings,
        }
    }

    /// Delivers a push, or its part that the message was for. Everything that could not be done by
    /// `deadline` is back on a queue when this returns.
    pub async fn deliver(&self, push: &Push, deadline: Instant) -> Result<Report, DeliveryError> {
        let mut report = Report::default();
        let (recipients, attempt) = self.recipients(push, &mut report).await?;
        report.audience = recipients.len();
        let now = SystemTime::now();
        let (expired, current): (Vec<_>, Vec<_>) = recipients
            .into_iter()
            .partition(|recipient| !push.then_disconnect && recipient.token_has_expired(now));
        self.deliver_to(push, current, attempt, deadline, &mut report)
            .await?;
        if !expired.is_empty() {
            let goodbye = push.to_expired();
            self.deliver_to(&goodbye, expired, 1, deadline, &mut report)
                .await?;
        }
        Ok(report)
    }

    async fn deliver_to(
        &self,
        push: &Push,
        recipients: Vec<Recipient>,
        attempt: u32,
        deadline: Instant,
        report: &mut Report,
    ) -> Result<(), DeliveryError> {
        let stop_at = deadline - self.settings.reserve;
        let left = self.post_all(push, recipients, stop_at, report).await?;
        self.put_back(push, &left, attempt, report).await?;
        report.gone += left.gone.len();
        report.disconnected += left.disconnected.len();
        let until = deadline - self.settings.reserve / 2;
        let ended = left.gone.into_iter().chain(left.disconnected);
        let not_forgotten = self.forget(ended, until).await;
        // They are found to be gone, and forgotten, by whoever is given the message.
        self.requeue(push, &not_forgotten, attempt, Duration::ZERO)
            .await?;
        Ok(())
    }

    /// Whom to post to now, and the number of this attempt. Whatever of the audience is beyond a page
    /// is on the queue when this returns.
    async fn recipients(
        &self,
        push: &Push,
        report: &mut Report,
    ) -> Result<(Vec<Recipient>, u32), DeliveryError> {
        let (mut recipients, attempt) = match &push.recipients {
            Recipients::Connections {
                connections,
                attempt,
            } => (connections.clone(), *attempt),
            Recipients::Audience { audience, range } => {
                let page = self.store.read_audience(audience, range).await?;
                if let Some(read_to) = &page.read_to {
                    let rest = range.rest(read_to);
                    report.continuations = rest.len();
                    self.continue_with(push, audience, rest).await?;
                }
                (page.recipients, 1)
            }
        };
        recipients.retain(|recipient| push.except.as_ref() != Some(&recipient.connection));
        Ok((recipients, attempt))
    }

    async fn continue_with(
        &self,
        push: &Push,
        audience: &Audience,
        ranges: Vec<Range>,
    ) -> Result<(), EnqueueError> {
        let continuations: Vec<_> = ranges
            .into_iter()
            .map(|range| {
                push.to(Recipients::Audience {
                    audience: audience.clone(),
                    range,
                })
            })
            .collect();
        self.queue.enqueue(&continuations, Duration::ZERO).await
    }

    /// Forgets connections that ended, and returns those that there was no time for. One that
    /// cannot be forgotten is gone at the next push as well, so the failure is only logged.
    async fn forget(
        &self,
        ended: impl Iterator<Item = Recipient>,
        until: Instant,
    ) -> Vec<Recipient> {
        stream::iter(ended)
            .map(|recipient| async move {
                if Instant::now() >= until {
                    return Some(recipient);
                }
                if let Err(error) = self.store.forget(&recipient.connection).await {
                    tracing::warn!(
                        connection_id = %recipient.connection,
                        error = &error as &dyn std::error::Error,
                        "a connection that ended could not be forgotten"
                    );
                }
                None
            })
            .buffer_unordered(self.settings.in_flight)
            .filter_map(|left| async { left })
            .collect()
            .await
    }
}
