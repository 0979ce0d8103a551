//! The pace of the posts of one push.

use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::time::{Instant, sleep_until};

use crate::audience::ALL_SLOTS;

/// The time whose posts may be made at once.
const BURST: Duration = Duration::from_millis(500);

/// A token bucket in the shape of the account's own, whose capacity is the posts of half a second.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>
#[derive(Debug)]
pub(super) struct Pace {
    /// The time between two posts.
    interval: Duration,
    /// The time at which the next post would be due without a burst.
    due: Instant,
}

impl Pace {
    /// Returns the pace of the posts to some slots of an audience, which has all of the posts per second.
    pub(super) fn of_slots(slots: u16, posts_per_second: u32) -> Self {
        let slots = slots.clamp(1, ALL_SLOTS);
        Self {
            interval: Duration::from_secs(ALL_SLOTS.into()) / (posts_per_second * u32::from(slots)),
            due: Instant::now(),
        }
    }

    /// Returns the items, each when one more post is due. From `stop_at` on it returns the rest at once.
    pub(super) fn of<T>(
        self,
        items: impl IntoIterator<Item = T>,
        stop_at: Instant,
    ) -> impl Stream<Item = T> {
        stream::unfold(
            (items.into_iter(), self),
            move |(mut items, mut pace)| async move {
                let item = items.next()?;
                pace.wait(stop_at).await;
                Some((item, (items, pace)))
            },
        )
    }

    async fn wait(&mut self, stop_at: Instant) {
        let now = Instant::now();
        self.due = self.due.max(now) + self.interval;
        let earliest = (self.due - BURST).min(stop_at);
        if earliest > now {
            sleep_until(earliest).await;
        }
    }
}
