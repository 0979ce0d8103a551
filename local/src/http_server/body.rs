//! A request's body with a deadline.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{BoxError, body::Body};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

/// The time by which a body must have arrived.
#[derive(Clone)]
pub(super) struct Deadline {
    at: Instant,
    passed: Arc<AtomicBool>,
}

impl Deadline {
    /// Returns the deadline after `timeout`.
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            at: Instant::now() + timeout,
            passed: Arc::default(),
        }
    }

    /// Returns whether a read of the body missed the deadline.
    pub(super) fn has_passed(&self) -> bool {
        self.passed.load(Relaxed)
    }
}

/// A body that fails when its deadline passes.
pub(super) struct TimedBody {
    body: Body,
    deadline: Deadline,
    /// Set on the first wait for the body: most bodies arrive at once.
    timer: Option<Pin<Box<Sleep>>>,
}

impl TimedBody {
    pub(super) fn new(body: Body, deadline: Deadline) -> Self {
        Self {
            body,
            deadline,
            timer: None,
        }
    }
}

impl HttpBody for TimedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        let at = this.deadline.at;
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        timer.as_mut().poll(context).map(|()| {
            this.deadline.passed.store(true, Relaxed);
            Some(Err("the body did not arrive in time".into()))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
