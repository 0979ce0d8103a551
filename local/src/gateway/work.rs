//! The work in progress: handshakes and messages whose functions have not answered. New handshakes wait while
//! there is too much of it.
//!
//! A thousand clients that return at once need only one short function each to connect, and long ones for the
//! messages that follow. Connected all at once, most would wait for the answer to their first message until
//! they give up, and connect again: the same work would be done several times, and never be finished. So the
//! messages of connected clients are served first.

use tokio::sync::{Mutex, watch};

/// The number of handshakes and messages in progress.
#[derive(Debug)]
pub(super) struct Work {
    in_progress: watch::Sender<usize>,
    /// The number in progress from which handshakes wait.
    limit: usize,
    /// Held by the handshake that begins next. The others wait for it, first come first served.
    turn: Mutex<()>,
}

/// A handshake or message in progress, until this value is dropped.
#[derive(Debug)]
pub(super) struct InProgress(watch::Sender<usize>);

impl Work {
    /// Makes a count of nothing with a limit for handshakes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            in_progress: watch::Sender::default(),
            limit,
            turn: Mutex::default(),
        }
    }

    /// Begins the work for a message.
    pub(super) fn begin(&self) -> InProgress {
        self.in_progress.send_modify(|count| *count += 1);
        InProgress(self.in_progress.clone())
    }

    /// Begins a handshake once less is in progress than the limit. Dropping the future gives the turn to the
    /// next.
    pub(super) async fn begin_handshake(&self) -> InProgress {
        let _turn = self.turn.lock().await;
        let mut in_progress = self.in_progress.subscribe();
        // The sender is this value's, so it outlives this call.
        let _ = in_progress.wait_for(|count| *count < self.limit).await;
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

    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn handshake_begins_below_the_limit() {
        let work = Work::new(2);
        let message = work.begin();
        let handshake = work.begin_handshake().now_or_never();
        assert!(handshake.is_some());
        assert!(work.begin_handshake().now_or_never().is_none());
        drop(message);
        assert!(work.begin_handshake().now_or_never().is_some());
    }

    #[test]
    fn message_begins_above_the_limit() {
        let work = Work::new(1);
        let _messages = [work.begin(), work.begin()];
        assert_eq!(*work.in_progress.borrow(), 2);
    }

    #[test]
    fn waiting_handshakes_begin_one_by_one_in_the_order_of_requests() {
        let work = Work::new(1);
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

    #[test]
    fn handshake_that_is_given_up_lets_the_next_begin() {
        let work = Work::new(1);
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
