//! Posting one frame to many connections, each tried again for itself, and closing them if the push
//! says so.

use std::{pin::pin, time::SystemTime};

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep, timeout};

use super::{Delivery, DeliveryError, Report, backoff};
use crate::{
    audience::Recipient,
    in_full::in_full,
    post::{Post, PostError},
    push::Push,
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
    /// Every try failed.
    pub(super) unreached: Vec<Recipient>,
    /// Why the last of those failed.
    pub(super) reason: String,
    /// The gateway refuses to have them posted to.
    pub(super) forbidden: Vec<Recipient>,
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
    Delivered(SystemTime),
    Disconnected,
    Failed(PostError),
    Untried,
}

impl<S: Sync, P: Post, Q: Sync> Delivery<'_, S, P, Q> {
    /// Posts to all connections, starting no post after `stop_at`.
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
                Outcome::Delivered(at) => {
                    report.delivered += 1;
                    report.last_post_at = report.last_post_at.max(Some(at));
                }
                Outcome::Disconnected => left.disconnected.push(tried.recipient),
                Outcome::Untried => left.untried.push(tried.recipient),
                Outcome::Failed(PostError::Gone) => left.gone.push(tried.recipient),
                // It is the frame and not the connection: the others would answer the same.
                Outcome::Failed(PostError::TooLarge) => {
                    let length = push.frame.get().len();
                    return Err(DeliveryError::TooLarge { length });
                }
                Outcome::Failed(PostError::Forbidden(_)) => left.forbidden.push(tried.recipient),
                Outcome::Failed(error) => {
                    left.reason = in_full(&error);
                    left.unreached.push(tried.recipient);
                }
            }
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
            let Some(posted) = self.take_turn(&tried.recipient, push, last, stop_at).await else {
                return tried;
            };
            tried.retried += usize::from(failed > 1);
            tried.throttled += usize::from(matches!(posted, Err(PostError::Throttled)));
            match posted {
                Ok(()) => {
                    tried.outcome = match push.then_disconnect {
                        true => Outcome::Disconnected,
                        false => Outcome::Delivered(SystemTime::now()),
                    };
                    return tried;
                }
                Err(error) => {
                    let final_answer = last || !error.is_passing();
                    tried.outcome = Outcome::Failed(error);
                    if final_answer {
                        return tried;
                    }
                }
            }
            sleep(backoff::before_next_try(failed, fastrand::f64())).await;
        }
        tried
    }

    /// One try, when it is its turn; none if that is too late.
    async fn take_turn(
        &self,
        recipient: &Recipient,
        push: &Push,
        last: bool,
        stop_at: Instant,
    ) -> Option<Result<(), PostError>> {
        let _turn = self.in_flight.acquire().await;
        if Instant::now() >= stop_at {
            return None;
        }
        let connection = &recipient.connection;
        let posted = self
            .in_time(self.poster.post(connection, push.frame.get()))
            .await;
        if !push.then_disconnect {
            return Some(posted);
        }
        Some(match posted {
            // Whoever does not take the last frame is closed without it.
            Err(error) if !(last && error.is_passing()) => Err(error),
            _ => self.in_time(self.poster.disconnect(connection)).await,
        })
    }

    async fn in_time(
        &self,
        answer: impl Future<Output = Result<(), PostError>>,
    ) -> Result<(), PostError> {
        let answer = timeout(self.settings.post_timeout, answer).await;
        answer.unwrap_or(Err(PostError::TimedOut))
    }
}
