//! The posts per second of one push, in all notifiers that deliver it.

use std::sync::Mutex;

use super::*;

/// A gateway that records the time of each post.
#[derive(Default)]
struct Timeline(Mutex<Vec<Instant>>);

impl Post for Timeline {
    async fn post(&self, _: &ConnectionId, _: &str) -> Result<(), PostError> {
        self.0.lock().expect("times").push(Instant::now());
        Ok(())
    }

    async fn disconnect(&self, _: &ConnectionId) -> Result<(), PostError> {
        Ok(())
    }
}

const PER_SECOND: u32 = 1000;

/// The posts that may be made at once.
const BURST: usize = 500;

fn settings() -> Settings {
    Settings {
        reserve: Duration::ZERO,
        ..Settings::for_share(PER_SECOND)
    }
}

/// Delivers a push to an audience with pages of this size. Returns the times of the posts, in their order, as if
/// each message had a notifier that began at zero.
async fn times_of_posts(connections: usize, page_size: usize) -> Vec<Duration> {
    let store = subscribers(connections, page_size).await;
    let queues = MemoryQueues::default();
    let mut waiting = vec![push()];
    let mut times = Vec::new();
    while let Some(push) = waiting.pop() {
        let gateway = Timeline::default();
        let delivery = Delivery::new(&store, &gateway, &queues, settings());
        let started = Instant::now();
        delivery
            .deliver(&push, started + MINUTE)
            .await
            .expect("delivered");
        let posts = gateway.0.into_inner().expect("times");
        times.extend(posts.into_iter().map(|at| at - started));
        waiting.extend(queues.take().into_iter().map(|(push, _)| push));
    }
    times.sort();
    times
}

#[tokio::test(start_paused = true)]
async fn push_within_the_burst_does_not_wait() {
    let times = times_of_posts(BURST, BURST).await;
    assert_eq!(times, [Duration::ZERO; BURST]);
}

#[tokio::test(start_paused = true)]
async fn larger_push_keeps_to_its_share() {
    let times = times_of_posts(3 * BURST, 3 * BURST).await;
    assert_within_the_share(&times, 1.0);
    assert_eq!(times.last(), Some(&Duration::from_secs(1)));
}

#[tokio::test(start_paused = true)]
async fn notifiers_that_deliver_ranges_of_an_audience_keep_to_the_share_together() {
    let times = times_of_posts(5000, 300).await;
    assert_eq!(times.len(), 5000);
    // The slot in which a range ends is also in the next one, and no slot has exactly as many as the others.
    assert_within_the_share(&times, 1.2);
}

#[tokio::test(start_paused = true)]
async fn connections_without_time_keep_to_the_share_of_their_range() {
    let store = subscribers(2000, 1000).await;
    let (gateway, queues) = (Timeline::default(), MemoryQueues::default());
    let delivery = Delivery::new(&store, &gateway, &queues, settings());
    let deadline = Instant::now() + Duration::from_millis(100);
    delivery
        .deliver(&push(), deadline)
        .await
        .expect("delivered");
    let requeued = queues.take();
    let slots = requeued.iter().map(|(push, _)| match &push.recipients {
        Recipients::Connections { slots, .. } => *slots,
        Recipients::Audience { range, .. } => range.slots(),
    });
    let slots: Vec<_> = slots.collect();
    assert_eq!(slots.iter().sum::<u16>(), ALL_SLOTS + 1, "{slots:?}");
}

/// Panics if more posts fall into any time than the share of it and one burst.
fn assert_within_the_share(times: &[Duration], tolerance: f64) {
    for (first, from) in times.iter().enumerate() {
        for (to, posts) in times[first..].iter().zip(1..) {
            let seconds = (*to - *from).as_secs_f64();
            let share = BURST as f64 + f64::from(PER_SECOND) * seconds;
            // A timer may be a millisecond early or late.
            let most = share * tolerance + 2.0;
            assert!(
                f64::from(posts) <= most,
                "{posts} posts from {from:?} to {to:?}"
            );
        }
    }
}
