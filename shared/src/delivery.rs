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
//!   goes back to the queue by name, and to the dead-letter queue after the last attempt. If no post is
//!   answered, the others are not made, and their connections go back at once.
//! - **Gone** is not a failure: the connection is forgotten, after the posts. A young connection is not:
//!   its rows are stored before the gateway has finished the handshake, and until then posts to it
//!   answer 410, so it is retried until it is old enough for a 410 to be final.
//! - **A token that ended.** Its connection does not get the push but a last frame that says so, and is
//!   closed and forgotten. It is found where it costs nothing: the audience's rows say when the token
//!   ends, so a connection is closed when a push would have reached it, and until then it gets nothing.
//!   The rows and the queue may be behind a renewal, so the connection's own row decides.

mod attempt;
mod backoff;
mod circuit;
mod forgetting;
mod posting;
mod requeue;
mod schedule;
mod settings;
#[cfg(test)]
mod tests;

use std::{
    ops::AddAssign,
    time::{Duration, SystemTime},
};

use tokio::{sync::Semaphore, time::Instant};

pub use settings::Settings;

use crate::{
    audience::{Audience, Range, Recipient},
    post::Post,
    push::{Push, Recipients},
    queue::{DeadLetter, Enqueue, EnqueueError},
    store::{Forget, Page, ReadAudience, ReadToken, StoreError},
};
use attempt::Attempt;
use circuit::Circuit;
use requeue::{Refused, split};
use schedule::Schedule;

/// Delivers pushes that came together: they share the posts in flight, and what is learnt of the gateway.
#[derive(Debug)]
pub struct Delivery<'a, S, P, Q> {
    store: &'a S,
    poster: &'a P,
    queue: &'a Q,
    settings: Settings,
    /// Bounds the posts of all pushes that are delivered at the same time.
    in_flight: Semaphore,
    /// Stops the posts when the gateway answers none.
    circuit: Circuit,
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

/// The reason a push was not delivered. It is to be delivered again as a whole, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The audience could not be read; nobody got the push.
    #[error("the audience could not be read")]
    Audience(#[from] StoreError),
    /// None of the ranges beyond the page could be put on the queue; no post was made.
    #[error("the rest of the audience could not be put on the queue")]
    Continue(#[source] EnqueueError),
    /// What is left could be put neither on the queue nor on the dead-letter queue. Only that is to be
    /// delivered again: others may have got the push.
    #[error("what is left of the push could be put on neither queue")]
    PutBack {
        /// The pushes that are left.
        left: Vec<Push>,
        /// The report of what was delivered.
        report: Box<Report>,
        /// The reason the queues did not take it.
        source: EnqueueError,
    },
    /// The gateway takes no frame of this size; nobody gets the push.
    #[error("the frame of {length} bytes is too large for the gateway")]
    TooLarge {
        /// The frame's length in bytes.
        length: usize,
    },
}

impl<'a, S, P, Q> Delivery<'a, S, P, Q>
where
    S: ReadAudience + ReadToken + Forget,
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
            circuit: Circuit::new(settings.hopeless_after),
            settings,
        }
    }

    /// Delivers a push, or its part that the message was for. Everything that could not be done by
    /// `deadline` is back on a queue when this returns.
    ///
    /// # Errors
    ///
    /// Returns [`DeliveryError`] if something could not be done and is on no queue.
    pub async fn deliver(&self, push: &Push, deadline: Instant) -> Result<Report, DeliveryError> {
        let mut report = Report::default();
        let schedule = Schedule::before(deadline, &self.settings);
        let (attempt, recipients) = self.recipients(push, &schedule, &mut report).await?;
        report.audience = recipients.len();
        let left = self
            .post_all(push, recipients, schedule.last_post, &mut report)
            .await?;
        report.gone += left.gone.len();
        report.disconnected += left.disconnected.len();
        let put_back = self
            .put_back(push, &attempt, &left, &schedule, &mut report)
            .await;
        let ended = [left.gone, left.disconnected].concat();
        self.forget(ended, push, &attempt, &schedule).await;
        match put_back {
            Ok(()) => Ok(report),
            Err(refused) => Err(refused.after(report)),
        }
    }

    /// Returns the connections to post to now, and which attempt this is. Whatever of the audience is
    /// beyond a page is on the queue when this returns.
    async fn recipients(
        &self,
        push: &Push,
        schedule: &Schedule,
        report: &mut Report,
    ) -> Result<(Attempt, Vec<Recipient>), DeliveryError> {
        let (attempt, mut recipients) = match push.recipients.clone() {
            Recipients::Connections {
                audience,
                connections,
                attempt: number,
                rounds,
            } => {
                let attempt = Attempt {
                    audience,
                    number,
                    rounds,
                };
                (attempt, connections)
            }
            Recipients::Audience { audience, range } => {
                let page = self.store.read_audience(&audience, &range).await?;
                self.continue_after(&page, push, &audience, &range, schedule, report)
                    .await?;
                (Attempt::first(audience), page.recipients)
            }
        };
        recipients.retain(|recipient| push.except.as_ref() != Some(&recipient.connection));
        Ok((attempt, recipients))
    }

    /// Puts the ranges beyond a page on the queue. If it takes only some of them, the page and the others
    /// are what is left: the audience must not be read again as a whole.
    async fn continue_after(
        &self,
        page: &Page,
        push: &Push,
        audience: &Audience,
        range: &Range,
        schedule: &Schedule,
        report: &mut Report,
    ) -> Result<(), DeliveryError> {
        let Some(read_to) = &page.read_to else {
            return Ok(());
        };
        let rest = range.rest(read_to);
        let continuations: Vec<_> = rest
            .into_iter()
            .map(|range| {
                push.to(Recipients::Audience {
                    audience: audience.clone(),
                    range,
                })
            })
            .collect();
        let total = continuations.len();
        let requeued = self
            .requeue(continuations, Duration::ZERO, schedule.last_post)
            .await;
        let refused = requeued.as_ref().err().map_or(0, |left| left.pushes.len());
        report.continuations = total - refused;
        match requeued {
            Ok(()) => Ok(()),
            Err(all) if refused == total => Err(DeliveryError::Continue(all.error)),
            Err(mut some) => {
                let first = Attempt::first(audience.clone());
                some.pushes.extend(split(push, &page.recipients, &first));
                Err(some.after(report.clone()))
            }
        }
    }
}

impl Refused {
    fn after(self, report: Report) -> DeliveryError {
        DeliveryError::PutBack {
            left: self.pushes,
            report: Box::new(report),
            source: self.error,
        }
    }
}
