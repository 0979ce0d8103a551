//! Posting one frame to many connections, each tried again for itself.

use std::{pin::pin, time::SystemTime};

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep, timeout};

use super::{Delivery, DeliveryError, Report, backoff};
use crate::{
    ids::ConnectionId,
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
    pub(super) gone: Vec<ConnectionId>,
    /// Every try failed.
    pub(super) unreached: Vec<ConnectionId>,
    /// Why the last of those failed.
    pub(super) reason: String,
    /// The gateway refuses to have them posted to.
    pub(super) forbidden: Vec<ConnectionId>,
    /// There was no time to try.
    pub(super) untried: Vec<ConnectionId>,
}

/// How one connection ended.
struct Tried {
    connection: ConnectionId,
    outcome: Outcome,
    throttled: usize,
    retried: usize,
}

enum Outcome {
    Delivered(SystemTime),
    Failed(PostError),
    Untried,
}

impl<S: Sync, P: Post, Q: Sync> Delivery<'_, S, P, Q> {
    /// Posts to all connections, starting no post after `stop_at`.
    pub(super) async fn post_all(
        &self,
        push: &Push,
        connections: Vec<ConnectionId>,
        stop_at: Instant,
        report: &mut Report,
    ) -> Result<Left, DeliveryError> {
        let frame = push.frame.get();
        let tried = stream::iter(connections)
            .map(|connection| self.post(connection, frame, stop_at))
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
                Outcome::Untried => left.untried.push(tried.connection),
                Outcome::Failed(PostError::Gone) => left.gone.push(tried.connection),
                // It is the frame and not the connection: the others would answer the same.
                Outcome::Failed(PostError::TooLarge) => {
                    let length = frame.len();
                    return Err(DeliveryError::TooLarge { length });
                }
                Outcome::Failed(PostError::Forbidden(_)) => left.forbidden.push(tried.connection),
                Outcome::Failed(error) => {
                    left.reason = in_full(&error);
                    left.unreached.push(tried.connection);
                }
            }
        }
        Ok(left)
    }

    /// Tries one connection until it answers, the tries are used up, or it is time to stop.
    async fn post(&self, connection: ConnectionId, frame: &str, stop_at: Instant) -> Tried {
        let mut tried = Tried {
            connection,
            outcome: Outcome::Untried,
            throttled: 0,
            retried: 0,
        };
        for failed in 1.. {
            let Some(posted) = self.post_once(&tried.connection, frame, stop_at).await else {
                return tried;
            };
            tried.retried += usize::from(failed > 1);
            tried.throttled += usize::from(matches!(posted, Err(PostError::Throttled)));
            let last = failed >= self.settings.tries;
            match posted {
                Ok(()) => {
                    tried.outcome = Outcome::Delivered(SystemTime::now());
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

    /// One post, when it is its turn; none if that is too late.
    async fn post_once(
        &self,
        connection: &ConnectionId,
        frame: &str,
        stop_at: Instant,
    ) -> Option<Result<(), PostError>> {
        let _turn = self.in_flight.acquire().await;
        if Instant::now() >= stop_at {
            return None;
        }
        let post = self.poster.post(connection, frame);
        let posted = timeout(self.settings.post_timeout, post).await;
        Some(posted.unwrap_or(Err(PostError::TimedOut)))
    }
}
