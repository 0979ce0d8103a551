//! Delivery of a push: reads one page of its audience, posts to every recipient on it, and requeues what
//! it could not deliver.
//!
//! Plain code over narrow traits, which knows neither Lambda, DynamoDB nor HTTP. Its clock is tokio's,
//! which tests pause.
//!
//! - **Large audiences.** Delivery requeues the part beyond the page as ranges of the audience before
//!   the first post, so that several notifiers work at once.
//! - **The account's quota** of requests: the posts of one push keep to Herald's share of it, in all
//!   notifiers together, because each range of the audience has its part of the share.
//! - **Retries** are decided here alone. A connection that answered 429 or 5xx, or did not answer, is
//!   retried after a back-off, independently of the others. When the tries or the time are used
//!   up, delivery requeues the remaining recipients by name, and after the last attempt sends them to the
//!   dead-letter queue. If the gateway answers no post, delivery makes no further posts and requeues their
//!   recipients at once.
//! - **Gone** is not a failure: the connection is forgotten after the posts. A young connection is not
//!   forgotten: its rows are stored before the gateway has finished the handshake, and until then posts
//!   to it answer 410, so it is retried until it is old enough for a 410 to be final.
//! - **Ended tokens.** A connection whose token has ended gets a last frame with the reason instead of
//!   the push, and is closed and forgotten. Detection costs nothing: the audience's rows have the end of
//!   the token, so a connection is closed when a push would have reached it, and until then it gets
//!   nothing. The rows and the queue may be older than a renewal, so the connection's own row decides.

mod attempt;
mod backoff;
mod circuit;
mod forgetting;
mod pace;
mod packed;
mod posting;
mod requeue;
mod schedule;
mod settings;
#[cfg(test)]
mod tests;
mod window;

use std::{
    ops::AddAssign,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};

pub use settings::Settings;
pub use window::Window;

use crate::{
    audience::{Audience, Range},
    ids::ConnectionId,
    post::Post,
    push::{Push, Recipients},
    queue::{DeadLetter, Enqueue, EnqueueError},
    store::{Forget, Page, ReadAudience, ReadToken, StoreError},
};
use attempt::Attempt;
use circuit::Circuit;
use pace::Pace;
use packed::Packed;
use requeue::{Refused, split};
use schedule::Schedule;

/// The delivery of pushes that arrived together: they share the circuit and the connections in progress, and the
/// window of posts in flight also with other deliveries of the process.
#[derive(Debug)]
pub struct Delivery<'a, S, P, Q> {
    store: &'a S,
    poster: &'a P,
    queue: &'a Q,
    settings: Settings,
    /// Limits the posts of all pushes together.
    window: Arc<Window>,
    /// Limits the connections in progress of all pushes together.
    in_progress: Semaphore,
    /// Limits the continuations that are read at once: a page takes some megabytes while it is read.
    reading: Semaphore,
    /// Stops the posts when the gateway answers none.
    circuit: Circuit,
}

/// The result of one push. All fields are numbers of connections unless they say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Recipients of this part of the push.
    pub audience: usize,
    /// Connections that got it.
    pub delivered: usize,
    /// Connections that were gone and are forgotten.
    pub gone: usize,
    /// Connections that were closed and are forgotten.
    pub disconnected: usize,
    /// Posts that were answered 429.
    pub throttled: usize,
    /// Posts that were retried within this attempt.
    pub retried: usize,
    /// Connections that were requeued by name.
    pub requeued: usize,
    /// Connections that went to the dead-letter queue.
    pub dead_lettered: usize,
    /// Messages that were enqueued for the ranges beyond the page.
    pub continuations: usize,
    /// The time of the last successful post.
    pub last_post_at: Option<SystemTime>,
    /// The connections of `disconnected`, each with the reason.
    pub closed: Vec<(ConnectionId, CloseReason)>,
}

/// The reason for which delivery closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The connection's token has ended.
    TokenEnded,
    /// The push demands it: an event disconnects the user.
    UserDisconnected,
}

/// Adds the counts and the closed connections, and keeps the later last post.
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
        self.closed.extend(other.closed);
    }
}

/// The reason a push was not delivered. The whole push must be delivered again, unless the variant says
/// otherwise.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The audience could not be read; no connection got the push.
    #[error("the audience could not be read")]
    Audience(#[from] StoreError),
    /// None of the ranges beyond the page could be enqueued; no post was made.
    #[error("the rest of the audience could not be put on the queue")]
    Continue(#[source] EnqueueError),
    /// Undelivered parts of the push could be put on neither queue. Only those must be delivered again:
    /// other connections may have got the push.
    #[error("the undelivered parts of the push could be put on neither queue")]
    NotRequeued {
        /// The undelivered parts.
        pushes: Vec<Push>,
        /// The report of the delivered part.
        report: Box<Report>,
        /// The reason the queues refused the parts.
        source: EnqueueError,
    },
    /// The gateway accepts no frame of this size; no connection gets the push.
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
    /// Returns a delivery from `store` through `poster`, which requeues to `queue`.
    pub fn new(store: &'a S, poster: &'a P, queue: &'a Q, settings: Settings) -> Self {
        Self {
            store,
            poster,
            queue,
            window: Arc::new(Window::new(settings.in_flight)),
            in_progress: Semaphore::new(posting::IN_PROGRESS),
            reading: Semaphore::new(1),
            circuit: Circuit::new(settings.circuit_limit),
            settings,
        }
    }

    /// Returns the same delivery with a window that other deliveries of the process share.
    #[must_use]
    pub fn with_window(self, window: Arc<Window>) -> Self {
        Self { window, ..self }
    }

    /// Delivers a push to the recipients of its message. Everything that was not done before `deadline`
    /// is back on a queue when this returns.
    ///
    /// # Errors
    ///
    /// Returns [`DeliveryError`] if undelivered parts are on no queue.
    pub async fn deliver(&self, push: &Push, deadline: Instant) -> Result<Report, DeliveryError> {
        let mut report = Report::default();
        let schedule = Schedule::before(deadline, &self.settings);
        let (attempt, recipients) = self.recipients(push, &schedule, &mut report).await?;
        let pace = Pace::of_slots(attempt.slots, self.settings.posts_per_second);
        report.audience = recipients.len();
        let undelivered = self
            .post_all(push, recipients, pace, schedule.last_post, &mut report)
            .await?;
        report.gone += undelivered.gone.len();
        report.disconnected += undelivered.disconnected.len();
        let reason = match push.then_disconnect {
            true => CloseReason::UserDisconnected,
            false => CloseReason::TokenEnded,
        };
        let closed = undelivered.disconnected.iter();
        let closed = closed.map(|recipient| (recipient.connection.clone(), reason));
        report.closed.extend(closed);
        let put_back = self
            .put_back(push, &attempt, &undelivered, &schedule, &mut report)
            .await;
        let ended = [undelivered.gone, undelivered.disconnected].concat();
        self.forget(ended, push, &attempt, &schedule).await;
        match put_back {
            Ok(()) => Ok(report),
            Err(refused) => Err(refused.after(report)),
        }
    }

    /// Waits until a range of an audience may be read. `None` for a whole audience, which is usually small, or if the
    /// time for posts ran out: it is then read at once, and its connections are requeued by name.
    async fn turn_to_read(&self, range: &Range, until: Instant) -> Option<SemaphorePermit<'_>> {
        if *range == Range::WHOLE {
            return None;
        }
        let turn = timeout_at(until, self.reading.acquire());
        turn.await.ok()?.ok()
    }

    /// Returns the connections to post to now, and the attempt. The part of the audience beyond a page
    /// is on the queue when this returns.
    async fn recipients(
        &self,
        push: &Push,
        schedule: &Schedule,
        report: &mut Report,
    ) -> Result<(Attempt, Packed), DeliveryError> {
        let (attempt, mut recipients) = match push.recipients.clone() {
            Recipients::Connections {
                audience,
                connections,
                slots,
                attempt: number,
                rounds,
            } => {
                let attempt = Attempt {
                    audience,
                    slots,
                    number,
                    rounds,
                };
                (attempt, connections)
            }
            Recipients::Audience { audience, range } => {
                let turn = self.turn_to_read(&range, schedule.last_post).await;
                let page = match &audience {
                    Audience::Entity(entity) if push.to_watchers => {
                        self.store.read_watchers(entity, &range).await?
                    }
                    audience => self.store.read_audience(audience, &range).await?,
                };
                drop(turn);
                self.continue_after(&page, push, &audience, &range, schedule, report)
                    .await?;
                let slots = page.range_of(&range).slots();
                (Attempt::first(audience, slots), page.recipients)
            }
        };
        recipients.retain(|recipient| push.except.as_ref() != Some(&recipient.connection));
        Ok((attempt, recipients.into()))
    }

    /// Enqueues the ranges beyond a page. If the queue accepts only some of them, the page and the
    /// refused ranges are undelivered parts: the audience must not be read again as a whole.
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
        let refused = requeued
            .as_ref()
            .err()
            .map_or(0, |refused| refused.pushes.len());
        report.continuations = total - refused;
        match requeued {
            Ok(()) => Ok(()),
            Err(all) if refused == total => Err(DeliveryError::Continue(all.error)),
            Err(mut some) => {
                let first = Attempt::first(audience.clone(), page.range_of(range).slots());
                some.pushes.extend(split(push, &page.recipients, &first));
                Err(some.after(report.clone()))
            }
        }
    }
}

impl Refused {
    fn after(self, report: Report) -> DeliveryError {
        DeliveryError::NotRequeued {
            pushes: self.pushes,
            report: Box::new(report),
            source: self.error,
        }
    }
}
