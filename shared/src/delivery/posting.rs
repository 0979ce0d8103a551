//! Posts of one frame to many connections, each retried independently. A connection is closed if the
//! push demands it or its token has ended.

use std::{pin::pin, time::SystemTime};

use futures_util::StreamExt;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Delivery, DeliveryError, Report, backoff, pace::Pace, packed::Packed};
use crate::{
    audience::Recipient,
    error_chain::error_chain,
    post::{Post, PostError},
    push::{Push, token_expired_frame},
    store::{CurrentToken, ReadToken, StoreError},
};

/// The maximum number of connections in progress, of all pushes of a delivery together. It is far above the number of
/// posts in flight, because connections in back-off must not block others.
pub(super) const IN_PROGRESS: usize = 1024;

/// The connections that did not get the push.
#[derive(Debug, Default)]
pub(super) struct Undelivered {
    /// They are gone.
    pub(super) gone: Vec<Recipient>,
    /// They got their last frame, and are closed.
    pub(super) disconnected: Vec<Recipient>,
    /// They answered 410 and are so young that they may still be in their handshake.
    pub(super) opening: Vec<Recipient>,
    /// Every try failed, or the circuit was open.
    pub(super) unreached: Vec<Recipient>,
    /// The reason the last of those failed.
    pub(super) reason: String,
    /// The time ran out before they were tried.
    pub(super) untried: Vec<Recipient>,
}

/// The result for one connection.
struct PostResult {
    recipient: Recipient,
    outcome: PostOutcome,
    throttled: usize,
    retried: usize,
}

enum PostOutcome {
    Accepted(Accepted),
    Failed(Failure),
    /// The time ran out before the first try.
    Untried,
    /// The circuit was open before the first try.
    CircuitOpen,
}

/// A frame that the gateway accepted.
enum Accepted {
    /// The push, at this time.
    Push(SystemTime),
    /// The last frame, unless the gateway refused it; the connection is closed.
    LastFrame,
}

/// The reason a try failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Post(#[from] PostError),
    /// A 410 that may mean that the handshake is not finished.
    #[error("the connection is not open yet")]
    Opening,
    #[error("the end of the connection's token could not be read")]
    Token(#[source] StoreError),
    #[error("the end of the connection's token could not be read in time")]
    TokenTimedOut,
}

impl Failure {
    /// Returns whether the same try may succeed later.
    fn is_transient(&self) -> bool {
        match self {
            Self::Post(error) => error.is_transient(),
            Self::Opening | Self::Token(_) | Self::TokenTimedOut => true,
        }
    }

    /// Returns whether the gateway's answer concerns the connection or the frame.
    fn is_answer(&self) -> bool {
        match self {
            Self::Post(PostError::Gone | PostError::Throttled | PostError::TooLarge) => true,
            Self::Post(_) | Self::Token(_) | Self::TokenTimedOut => false,
            Self::Opening => true,
        }
    }
}

impl<S: ReadToken, P: Post, Q: Sync> Delivery<'_, S, P, Q> {
    /// Posts to all connections at a pace and starts no post after `stop_at`.
    ///
    /// # Errors
    ///
    /// Returns [`DeliveryError::TooLarge`] if the gateway refuses the frame because of its size.
    pub(super) async fn post_all(
        &self,
        push: &Push,
        recipients: Packed,
        pace: Pace,
        stop_at: Instant,
        report: &mut Report,
    ) -> Result<Undelivered, DeliveryError> {
        let results = pace
            .of(recipients, stop_at)
            // Waits before a post has its state, which is larger than its recipient.
            .then(async |recipient| (self.in_progress.acquire().await, recipient))
            .map(async |(_permit, recipient)| self.post(recipient, push, stop_at).await)
            .buffer_unordered(IN_PROGRESS);
        let mut results = pin!(results);
        let mut undelivered = Undelivered::default();
        while let Some(result) = results.next().await {
            report.throttled += result.throttled;
            report.retried += result.retried;
            match result.outcome {
                PostOutcome::Accepted(Accepted::Push(at)) => {
                    report.delivered += 1;
                    report.last_post_at = report.last_post_at.max(Some(at));
                }
                PostOutcome::Accepted(Accepted::LastFrame) => {
                    undelivered.disconnected.push(result.recipient);
                }
                // The reason is the frame and not the connection: the others would answer the same.
                PostOutcome::Failed(Failure::Post(PostError::TooLarge)) => {
                    let length = push.frame.get().len();
                    return Err(DeliveryError::TooLarge { length });
                }
                PostOutcome::Failed(Failure::Post(PostError::Gone)) => {
                    undelivered.gone.push(result.recipient);
                }
                PostOutcome::Failed(Failure::Opening) => undelivered.opening.push(result.recipient),
                PostOutcome::Failed(failure) => {
                    undelivered.reason = error_chain(&failure);
                    undelivered.unreached.push(result.recipient);
                }
                PostOutcome::CircuitOpen => undelivered.unreached.push(result.recipient),
                PostOutcome::Untried => undelivered.untried.push(result.recipient),
            }
        }
        if undelivered.reason.is_empty() {
            undelivered.reason.push_str("the gateway answered no post");
        }
        Ok(undelivered)
    }

    /// Tries one connection until it answers, the tries are used up, or the time runs out.
    async fn post(&self, recipient: Recipient, push: &Push, stop_at: Instant) -> PostResult {
        let mut result = PostResult {
            recipient,
            outcome: PostOutcome::Untried,
            throttled: 0,
            retried: 0,
        };
        for attempt in 1.. {
            let last = attempt >= self.settings.tries;
            let slot = self.window.slot().await;
            if Instant::now() >= stop_at {
                return result;
            }
            if self.circuit.is_open() {
                if let PostOutcome::Untried = result.outcome {
                    result.outcome = PostOutcome::CircuitOpen;
                }
                return result;
            }
            let by = stop_at + self.settings.post_timeout;
            let posted = self.try_once(&mut result.recipient, push, last, by).await;
            let connection = &result.recipient.connection;
            match &posted {
                Ok(_) => slot.answered(connection),
                Err(Failure::Post(PostError::Throttled)) => slot.throttled(connection),
                Err(_) => {}
            }
            drop(slot);
            result.retried += usize::from(attempt > 1);
            match posted {
                Ok(accepted) => {
                    result.outcome = PostOutcome::Accepted(accepted);
                    return result;
                }
                Err(failure) => {
                    let throttled = matches!(failure, Failure::Post(PostError::Throttled));
                    result.throttled += usize::from(throttled);
                    let final_answer = last || !failure.is_transient();
                    result.outcome = PostOutcome::Failed(failure);
                    if final_answer {
                        return result;
                    }
                }
            }
            sleep(backoff::before_next_try(attempt, fastrand::f64())).await;
        }
        result
    }

    /// Posts the frame that is due, with all calls ending before `by`. The connection's age is checked
    /// before the post, because the handshake may finish meanwhile.
    async fn try_once(
        &self,
        recipient: &mut Recipient,
        push: &Push,
        last: bool,
        by: Instant,
    ) -> Result<Accepted, Failure> {
        let young = recipient.is_young(SystemTime::now());
        let posted = self
            .post_push_or_last_frame(recipient, push, last, by)
            .await;
        let posted = posted.map_err(|failure| match failure {
            Failure::Post(PostError::Gone) if young => Failure::Opening,
            failure => failure,
        });
        let answered = posted.as_ref().err().is_none_or(Failure::is_answer);
        self.circuit.record(answered);
        posted
    }

    /// Posts the push, or the last frame if the connection's token has ended.
    async fn post_push_or_last_frame(
        &self,
        recipient: &mut Recipient,
        push: &Push,
        last: bool,
        by: Instant,
    ) -> Result<Accepted, Failure> {
        // Boxed, because they are rare: every connection in progress would have room for their state.
        if push.then_disconnect {
            let last_frame = self.post_last_frame(recipient, push.frame.get(), last, by);
            return Box::pin(last_frame).await;
        }
        if recipient.token_has_expired(SystemTime::now())
            && Box::pin(self.token_has_ended(recipient, by)).await?
        {
            let frame = token_expired_frame();
            return Box::pin(self.post_last_frame(recipient, &frame, last, by)).await;
        }
        let post = self.poster.post(&recipient.connection, push.frame.get());
        self.within_timeout(by, post).await?;
        Ok(Accepted::Push(SystemTime::now()))
    }

    /// Posts a last frame and closes the connection. At the last try, the connection is closed even if
    /// the gateway refused the frame.
    async fn post_last_frame(
        &self,
        recipient: &Recipient,
        frame: &str,
        last: bool,
        by: Instant,
    ) -> Result<Accepted, Failure> {
        let connection = &recipient.connection;
        match self
            .within_timeout(by, self.poster.post(connection, frame))
            .await
        {
            Err(error) if !(last && error.is_transient()) => Err(error.into()),
            _ => {
                let close = self.poster.disconnect(connection);
                self.within_timeout(by, close).await?;
                Ok(Accepted::LastFrame)
            }
        }
    }

    /// Reads the end of the connection's token, which seems to have ended, and returns whether it has. The
    /// end on the audience's row or on the queue may be stale: the token may have been renewed.
    async fn token_has_ended(
        &self,
        recipient: &mut Recipient,
        by: Instant,
    ) -> Result<bool, Failure> {
        let read = self.store.current_token(&recipient.connection);
        let read = timeout_at(self.call_ends(by), read).await;
        recipient.token_expires_at = match read.map_err(|_| Failure::TokenTimedOut)? {
            Ok(CurrentToken::EndsAt(expiry)) => Some(expiry),
            Ok(CurrentToken::None) => None,
            Ok(CurrentToken::ConnectionGone) => return Err(PostError::Gone.into()),
            Err(error) => return Err(Failure::Token(error)),
        };
        Ok(recipient.token_has_expired(SystemTime::now()))
    }

    async fn within_timeout(
        &self,
        by: Instant,
        answer: impl Future<Output = Result<(), PostError>>,
    ) -> Result<(), PostError> {
        let answer = timeout_at(self.call_ends(by), answer).await;
        answer.unwrap_or(Err(PostError::TimedOut))
    }

    /// Returns the time at which a call that starts now is cancelled. A try makes up to three calls.
    fn call_ends(&self, by: Instant) -> Instant {
        by.min(Instant::now() + self.settings.post_timeout)
    }
}
