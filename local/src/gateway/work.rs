//! The work in progress: handshakes and messages whose functions have not answered. New handshakes wait while
//! there is too much of it.
//!
//! A thousand clients that return at once need only one short function each to connect, and long ones for the
//! messages that follow. Connected all at once, most would wait for the answer to their first message until
//! they give up, and connect again: the same work would be done several times, and never be finished. So the
//! messages of connected clients are served first.

use std::time::Duration;

use tokio::{
    sync::{Mutex, watch},
    time::timeout,
};

/// The number of handshakes and messages in progress.
#[derive(Debug)]
pub(super) struct Work {
    in_progress: watch::Sender<usize>,
    /// The number in progress from which handshakes wait.
    limit: usize,
    /// The longest time that a handshake waits once it is its turn.
    longest_wait: Duration,
    /// Held by the handshake that begins next. The others wait for it, first come first served.
    turn: Mutex<()>,
}

/// A handshake or message in progress, until this value is dropped.
#[derive(Debug)]
pub(super) struct InProgress(watch::Sender<usize>);

impl Work {
    /// Makes a count of nothing with a limit for handshakes, and their longest wait.
    pub(super) fn new(limit: usize, longest_wait: Duration) -> Self {
        Self {
            in_progress: watch::Sender::default(),
            limit,
            longest_wait,
            turn: Mutex::default(),
        }
    }

    /// Begins the work for a message.
    pub(super) fn begin(&self) -> InProgress {
        self.in_progress.send_modify(|count| *count += 1);
        InProgress(self.in_progress.clone())
    }

    /// Begins a handshake once less is in progress than the limit, or after its longest wait. Dropping the future
    /// gives the turn to the next.
    pub(super) async fn begin_handshake(&self) -> InProgress {
        let _turn = self.turn.lock().await;
        let mut in_progress = self.in_progress.subscribe();
        let below_the_limit = in_progress.wait_for(|count| *count < self.limit);
        // The sender is this value's, so it outlives this call. After a timeout, the handshake begins all the same.
        let _ = timeout(self.longest_wait, below_the_limit).await;
        self.begin()
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::{FutureExt, future::join_all};
    use tokio::time::Instant;

    use super::*;

    const LONGEST_WAIT: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn handshake_begins_below_the_limit() {
        let work = Work::new(2, LONGEST_WAIT);
        let message = work.begin();
        let handshake = work.begin_handshake().now_or_never();
        assert!(handshake.is_some());
        assert!(work.begin_handshake().now_or_never().is_none());
        drop(message);
        assert!(work.begin_handshake().now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn handshakes_begin_one_by_one_although_the_messages_never_end() {
        let work = Work::new(1, LONGEST_WAIT);
        let _flood = [work.begin(), work.begin()];
        let begun_at = Instant::now();
        let waiting = [work.begin_handshake(), work.begin_handshake()];
        let handshakes = join_all(waiting).await;
        assert_eq!(handshakes.len(), 2);
        assert!(begun_at.elapsed() >= 2 * LONGEST_WAIT);
    }

    #[test]
    fn message_begins_above_the_limit() {
        let work = Work::new(1, LONGEST_WAIT);
        let _messages = [work.begin(), work.begin()];
        assert_eq!(*work.in_progress.borrow(), 2);
    }

    #[tokio::test]
    async fn waiting_handshakes_begin_one_by_one_in_the_order_of_requests() {
        let work = Work::new(1, LONGEST_WAIT);
        let message = work.begin();
        let mut first = pin!(work.begin_handshake());
        let mut second = pin!(work.begin_handshake());
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        drop(message);
        assert!(second.as_mut().now_or_never().is_none());
        let handshake = first.as_mut().now_or_never();
        assert!(handshake.is_some());
        assert!(second.as_mut().now_or_never().is_none());
        drop(handshake);
        assert!(second.as_mut().now_or_never().is_some());
    }

    #[tokio::test]
    async fn handshake_that_is_given_up_lets_the_next_begin() {
        let work = Work::new(1, LONGEST_WAIT);
        let message = work.begin();
        let mut given_up = Box::pin(work.begin_handshake());
        let mut next = pin!(work.begin_handshake());
        assert!(given_up.as_mut().now_or_never().is_none());
        assert!(next.as_mut().now_or_never().is_none());
        drop(given_up);
        drop(message);
        assert!(next.as_mut().now_or_never().is_some());
    }
}
