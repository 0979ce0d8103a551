//! Posting one frame to many connections, each tried again for itself, and closing them if the push
//! says so or their token has ended.

use std::{pin::pin, time::SystemTime};

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep, timeout_at};

use super::{Delivery, DeliveryError, Report, backoff};
use crate::{
    audience::Recipient,
    in_full::in_full,
    post::{Post, PostError},
    push::{Push, token_expired_frame},
    store::{CurrentToken, ReadToken, StoreError},
};

/// How many connections are in hand at once. Many more than are posted to, because those that wait
/// for their next try must not keep others from theirs.
const IN_HAND: usize = 1024;

/// The connections that did not get the push.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// They are gone.
    pub(super) gone: Vec<Recipient>,
    /// They have their last frame and are closed.
    pub(super) disconnected: Vec<Recipient>,
    /// They answered 410 and are so young that they may still be in their handshake.
    pub(super) opening: Vec<Recipient>,
    /// Every try failed, or so many of others did that there was none.
    pub(super) unreached: Vec<Recipient>,
    /// Why the last of those failed.
    pub(super) reason: String,
    /// There was no time to try.
    pub(super) untried: Vec<Recipient>,
}

/// How one connection ended.
struct Tried {
    recipient: Recipient,
    outcome: Outcome,
    throttled: usize,
    retried: usize,
}

enum Outcome {
    Taken(Taken),
    Failed(Failure),
    /// There was no time to try.
    Untried,
    /// The circuit is open, so it was not tried.
    Hopeless,
}

/// A post that was taken.
enum Taken {
    /// The push, at this time.
    Push(SystemTime),
    /// The last frame, as far as the connection takes one; the connection is closed.
    LastFrame,
}

/// The reason a try failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Post(#[from] PostError),
    /// A 410 that may only mean that the handshake is not over.
    #[error("the connection is not open yet")]
    Opening,
    #[error("the end of the connection's token could not be read")]
    Token(#[source] StoreError),
    #[error("the end of the connection's token was not read in time")]
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

    /// Returns whether the gateway answered, with something about the connection or the frame.
    fn is_answer(&self) -> bool {
        match self {
            Self::Post(PostError::Gone | PostError::Throttled | PostError::TooLarge) => true,
            Self::Post(_) | Self::Token(_) | Self::TokenTimedOut => false,
            Self::Opening => true,
        }
    }
}

impl<S: ReadToken, P: Post, Q: Sync> Delivery<'_, S, P, Q> {
    /// Posts to all connections, starting no post after `stop_at`.
    ///
    /// # Errors
    ///
    /// Returns [`DeliveryError::TooLarge`] if the gateway refuses the frame for its size.
    pub(super) async fn post_all(
        &self,
        push: &Push,
        recipients: Vec<Recipient>,
        stop_at: Instant,
        report: &mut Report,
    ) -> Result<Left, DeliveryError> {
        let tried = stream::iter(recipients)
            .map(|recipient| self.post(recipient, push, stop_at))
            .buffer_unordered(IN_HAND);
        let mut tried = pin!(tried);
        let mut left = Left::default();
        while let Some(tried) = tried.next().await {
            report.throttled += tried.throttled;
            report.retried += tried.retried;
            match tried.outcome {
                Outcome::Taken(Taken::Push(at)) => {
                    report.delivered += 1;
                    report.last_post_at = report.last_post_at.max(Some(at));
                }
                Outcome::Taken(Taken::LastFrame) => left.disconnected.push(tried.recipient),
                // It is the frame and not the connection: the others would answer the same.
                Outcome::Failed(Failure::Post(PostError::TooLarge)) => {
                    let length = push.frame.get().len();
                    return Err(DeliveryError::TooLarge { length });
                }
                Outcome::Failed(Failure::Post(PostError::Gone)) => left.gone.push(tried.recipient),
                Outcome::Failed(Failure::Opening) => left.opening.push(tried.recipient),
                Outcome::Failed(failure) => {
                    left.reason = in_full(&failure);
                    left.unreached.push(tried.recipient);
                }
                Outcome::Hopeless => left.unreached.push(tried.recipient),
                Outcome::Untried => left.untried.push(tried.recipient),
            }
        }
        if left.reason.is_empty() {
            left.reason.push_str("the gateway answered no post");
        }
        Ok(left)
    }

    /// Tries one connection until it answers, the tries are used up, or it is time to stop.
    async fn post(&self, recipient: Recipient, push: &Push, stop_at: Instant) -> Tried {
        let mut tried = Tried {
            recipient,
            outcome: Outcome::Untried,
            throttled: 0,
            retried: 0,
        };
        for failed in 1.. {
            let last = failed >= self.settings.tries;
            let turn = self.in_flight.acquire().await;
            if Instant::now() >= stop_at {
                return tried;
            }
            if self.circuit.is_open() {
                if let Outcome::Untried = tried.outcome {
                    tried.outcome = Outcome::Hopeless;
                }
                return tried;
            }
            let by = stop_at + self.settings.post_timeout;
            let posted = self.try_once(&mut tried.recipient, push, last, by).await;
            drop(turn);
            tried.retried += usize::from(failed > 1);
            match posted {
                Ok(taken) => {
                    tried.outcome = Outcome::Taken(taken);
                    return tried;
                }
                Err(failure) => {
                    let throttled = matches!(failure, Failure::Post(PostError::Throttled));
                    tried.throttled += usize::from(throttled);
                    let final_answer = last || !failure.is_transient();
                    tried.outcome = Outcome::Failed(failure);
                    if final_answer {
                        return tried;
                    }
                }
            }
            sleep(backoff::before_next_try(failed, fastrand::f64())).await;
        }
        tried
    }

    /// Posts what is for the connection, which ends by `by`. The connection's age is judged before: the
    /// handshake may end meanwhile.
    async fn try_once(
        &self,
        recipient: &mut Recipient,
        push: &Push,
        last: bool,
        by: Instant,
    ) -> Result<Taken, Failure> {
        let young = recipient.is_young(SystemTime::now());
        let posted = self.post_what_is_due(recipient, push, last, by).await;
        let posted = posted.map_err(|failure| match failure {
            Failure::Post(PostError::Gone) if young => Failure::Opening,
            failure => failure,
        });
        let answered = posted.as_ref().err().is_none_or(Failure::is_answer);
        self.circuit.note(answered);
        posted
    }

    /// Posts the push, or the last frame if the connection's token has ended.
    async fn post_what_is_due(
        &self,
        recipient: &mut Recipient,
        push: &Push,
        last: bool,
        by: Instant,
    ) -> Result<Taken, Failure> {
        if push.then_disconnect {
            return self.see_off(recipient, push.frame.get(), last, by).await;
        }
        if self.token_has_ended(recipient, by).await? {
            let frame = token_expired_frame();
            return self.see_off(recipient, &frame, last, by).await;
        }
        let post = self.poster.post(&recipient.connection, push.frame.get());
        self.in_time(by, post).await?;
        Ok(Taken::Push(SystemTime::now()))
    }

    /// Posts a last frame and closes the connection. At the last try, a connection that does not take
    /// the frame is closed without it.
    async fn see_off(
        &self,
        recipient: &Recipient,
        frame: &str,
        last: bool,
        by: Instant,
    ) -> Result<Taken, Failure> {
        let connection = &recipient.connection;
        match self.in_time(by, self.poster.post(connection, frame)).await {
            Err(error) if !(last && error.is_transient()) => Err(error.into()),
            _ => {
                let closed = self.poster.disconnect(connection);
                self.in_time(by, closed).await?;
                Ok(Taken::LastFrame)
            }
        }
    }

    /// Returns whether the connection's token has ended. What the audience's row or the queue says of it
    /// may be old: a token that seems to have ended is looked up, for it may have been renewed.
    async fn token_has_ended(
        &self,
        recipient: &mut Recipient,
        by: Instant,
    ) -> Result<bool, Failure> {
        if !recipient.token_has_expired(SystemTime::now()) {
            return Ok(false);
        }
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

    async fn in_time(
        &self,
        by: Instant,
        answer: impl Future<Output = Result<(), PostError>>,
    ) -> Result<(), PostError> {
        let answer = timeout_at(self.call_ends(by), answer).await;
        answer.unwrap_or(Err(PostError::TimedOut))
    }

    /// Returns when a call that starts now is given up: a try makes up to three of them.
    fn call_ends(&self, by: Instant) -> Instant {
        by.min(Instant::now() + self.settings.post_timeout)
    }
}
