//! The number of posts in flight, which adapts to the gateway.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use crate::ids::ConnectionId;

/// The first limit of a window. Each post beyond it is likely to need a new connection to the gateway.
const FIRST: usize = 100;

/// The lowest limit of a window.
const LEAST: usize = 10;

/// The time without a post after which a window begins again: the connections to the gateway have ended.
const IDLE: Duration = Duration::from_secs(60);

/// The maximum number of connections that are remembered as throttled.
const REMEMBERED: usize = 10_000;

/// A round is fast if its answers take on average up to half longer than in the fastest round, and this.
const TOLERANCE: Duration = Duration::from_millis(2);

/// The limit of the posts in flight, shared by all deliveries of a process.
///
/// The limit rises while the gateway's answers stay fast: at first by one with each second answer, so by
/// half in the time of a post, and after a 429 by one with each round of answers. It stays while
/// answers are slower, when more posts would only wait for each other. Two connections that are answered 429
/// within a round of answers halve it. So several notifiers share the account's quota of requests without
/// knowing of each other, as TCP connections share a link ([RFC 5681](https://www.rfc-editor.org/rfc/rfc5681#section-3.1)).
///
/// A connection counts once until it accepts a post, and one alone changes nothing: the gateway also answers 429 for a
/// client that does not read, whose buffer is full ([AWS](https://docs.rs/aws-sdk-apigatewaymanagement/latest/aws_sdk_apigatewaymanagement/types/error/struct.LimitExceededException.html)).
#[derive(Debug)]
pub struct Window {
    /// A permit for each post that may be in flight.
    posts: Semaphore,
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    /// The permits above the limit, which posts in flight hold.
    surplus: usize,
    /// True before the first 429.
    rises_fast: bool,
    /// The connections whose last post was answered 429.
    throttled: HashSet<ConnectionId>,
    /// The answers since the last 429 that counted. `None` before the first.
    since_throttled: Option<usize>,
    /// The time of the last 429 that lowered the limit. Posts that started before were too many already.
    lowered_at: Option<Instant>,
    /// The answers since the limit last rose.
    answers: usize,
    round: Round,
    used_at: Instant,
}

/// The times of as many answers as there may be posts in flight.
#[derive(Debug)]
struct Round {
    /// The number of answers in it, which is the limit at its start.
    length: u32,
    answers: u32,
    sum: Duration,
    /// The mean time of an answer in the fastest round.
    fastest: Duration,
    /// True if the last round was about as fast.
    is_fast: bool,
}

/// A post in flight.
pub(super) struct Slot<'a> {
    window: &'a Window,
    permit: Option<SemaphorePermit<'a>>,
    started_at: Instant,
}

impl Window {
    /// Returns a window in which at most `most` posts are in flight.
    pub fn new(most: usize) -> Self {
        let limit = FIRST.min(most);
        Self {
            posts: Semaphore::new(limit),
            most,
            state: Mutex::new(State {
                limit,
                surplus: 0,
                rises_fast: true,
                throttled: HashSet::new(),
                since_throttled: None,
                lowered_at: None,
                answers: 0,
                round: Round::default(),
                used_at: Instant::now(),
            }),
        }
    }

    /// Waits until one more post may be in flight.
    pub(super) async fn slot(&self) -> Slot<'_> {
        self.begin_again_after_idle_time();
        let permit = self.posts.acquire().await;
        Slot {
            window: self,
            permit: permit.ok(),
            started_at: Instant::now(),
        }
    }

    fn begin_again_after_idle_time(&self) {
        let mut state = self.state();
        let is_idle = state.used_at.elapsed() > IDLE;
        state.used_at = Instant::now();
        if !is_idle {
            return;
        }
        let first = FIRST.min(self.most);
        if state.limit > first {
            let forgotten = self.posts.forget_permits(state.limit - first);
            state.limit -= forgotten;
        } else {
            self.posts.add_permits(first - state.limit);
            state.limit = first;
        }
        state.rises_fast = true;
        state.since_throttled = None;
    }

    fn answered(&self, started_at: Instant, connection: &ConnectionId) {
        let mut state = self.state();
        let limit = state.limit;
        state.round.add(started_at.elapsed(), limit);
        state.answers += 1;
        if let Some(answers) = &mut state.since_throttled {
            *answers += 1;
        }
        if !state.throttled.is_empty() {
            state.throttled.remove(connection);
        }
        let is_due = state.answers >= if state.rises_fast { 2 } else { limit };
        // An unused limit would rise without end.
        let is_used = self.posts.available_permits() == 0;
        if is_due && is_used && state.round.is_fast && limit < self.most {
            state.answers = 0;
            state.limit += 1;
            match state.surplus.checked_sub(1) {
                Some(surplus) => state.surplus = surplus,
                None => self.posts.add_permits(1),
            }
        }
    }

    fn throttled(&self, started_at: Instant, connection: &ConnectionId) {
        let mut state = self.state();
        if state.throttled.len() >= REMEMBERED {
            state.throttled.clear();
        }
        if !state.throttled.insert(connection.clone()) {
            return;
        }
        let limit = state.limit;
        let last = state.since_throttled.replace(0);
        let is_second = last.is_some_and(|answers| answers < limit);
        if !is_second || state.lowered_at.is_some_and(|at| started_at < at) {
            return;
        }
        let lowered = (state.limit / 2).max(LEAST.min(self.most));
        state.surplus += state.limit.saturating_sub(lowered);
        state.limit = lowered;
        state.rises_fast = false;
        state.answers = 0;
        state.lowered_at = Some(Instant::now());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Round {
    fn add(&mut self, took: Duration, limit: usize) {
        self.answers += 1;
        self.sum += took;
        if self.answers < self.length {
            return;
        }
        let mean = self.sum / self.answers;
        // The fastest of all times grows a little, because the gateway may have become slower for good.
        self.fastest = mean.min(self.fastest.saturating_add(self.fastest / 64));
        self.is_fast = mean <= self.fastest * 3 / 2 + TOLERANCE;
        self.length = u32::try_from(limit).unwrap_or(u32::MAX);
        self.answers = 0;
        self.sum = Duration::ZERO;
    }
}

impl Default for Round {
    fn default() -> Self {
        Self {
            length: FIRST as u32,
            answers: 0,
            sum: Duration::ZERO,
            // Slower than any post, and small enough to be multiplied.
            fastest: Duration::from_secs(60 * 60),
            is_fast: true,
        }
    }
}

impl Slot<'_> {
    /// Records that the gateway accepted the post to this connection.
    pub(super) fn answered(&self, connection: &ConnectionId) {
        self.window.answered(self.started_at, connection);
    }

    /// Records that the gateway answered 429 for this connection.
    pub(super) fn throttled(&self, connection: &ConnectionId) {
        self.window.throttled(self.started_at, connection);
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.window.state();
        if let Some(surplus) = state.surplus.checked_sub(1) {
            state.surplus = surplus;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}
