//! The number of posts in flight at gateways of several kinds.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use super::*;
use crate::delivery::Window;

/// A gateway that answers after `time`, and after `time_at_once` for each other post in flight. It accepts
/// `per_second` posts a second and as many at once, like the account's quota.
struct Gateway {
    time: Duration,
    time_at_once: Duration,
    quota: Option<Mutex<Quota>>,
    /// The connections whose clients do not read.
    stuck: Vec<ConnectionId>,
    in_flight: AtomicUsize,
    most: AtomicUsize,
}

struct Quota {
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Gateway {
    fn with(time: Duration, time_at_once: Duration, per_second: Option<f64>) -> Self {
        Self {
            time,
            time_at_once,
            quota: per_second.map(|per_second| {
                Mutex::new(Quota {
                    per_second,
                    left: per_second,
                    at: Instant::now(),
                })
            }),
            stuck: Vec::new(),
            in_flight: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        }
    }
}

impl Quota {
    fn take(&mut self) -> Result<(), PostError> {
        let passed = self.at.elapsed().as_secs_f64();
        self.at = Instant::now();
        self.left = (self.left + passed * self.per_second).min(self.per_second);
        if self.left < 1.0 {
            return Err(PostError::Throttled);
        }
        self.left -= 1.0;
        Ok(())
    }
}

impl Post for Gateway {
    async fn post(&self, connection: &ConnectionId, _: &str) -> Result<(), PostError> {
        let others = self.in_flight.fetch_add(1, SeqCst);
        self.most.fetch_max(others + 1, SeqCst);
        tokio::time::sleep(self.time + self.time_at_once * others as u32).await;
        self.in_flight.fetch_sub(1, SeqCst);
        if self.stuck.contains(connection) {
            return Err(PostError::Throttled);
        }
        let quota = self.quota.as_ref();
        quota.map_or(Ok(()), |quota| quota.lock().expect("a quota").take())
    }

    async fn disconnect(&self, _: &ConnectionId) -> Result<(), PostError> {
        Ok(())
    }
}

/// Delivers a push to 5,000 connections with a window, and returns the report and the time.
async fn deliver(gateway: &Gateway, window: &Arc<Window>) -> (Report, Duration) {
    deliver_to(5000, gateway, window).await
}

async fn deliver_to(
    connections: usize,
    gateway: &Gateway,
    window: &Arc<Window>,
) -> (Report, Duration) {
    let store = subscribers(connections, connections).await;
    let queues = MemoryQueues::default();
    let delivery = Delivery::new(&store, gateway, &queues, Settings::default());
    let delivery = delivery.with_window(window.clone());
    let started = Instant::now();
    let report = delivery.deliver(&push(), started + MINUTE).await;
    (report.expect("delivered"), started.elapsed())
}

fn most(gateway: &Gateway) -> usize {
    gateway.most.swap(0, SeqCst)
}

const ANSWER: Duration = Duration::from_millis(20);

#[tokio::test(start_paused = true)]
async fn posts_in_flight_rise_to_the_maximum_while_answers_stay_fast() {
    let gateway = Gateway::with(ANSWER, Duration::ZERO, None);
    let window = Arc::new(Window::new(500));
    let (report, first) = deliver(&gateway, &window).await;
    assert_eq!(report.delivered, 5000);
    assert_eq!(most(&gateway), 500);
    let (_, second) = deliver(&gateway, &window).await;
    assert_eq!(second, 10 * ANSWER);
    assert!(second < first);
}

#[tokio::test(start_paused = true)]
async fn posts_in_flight_stay_where_more_posts_only_wait_for_each_other() {
    let time_at_once = Duration::from_micros(50);
    let gateway = Gateway::with(Duration::from_millis(1), time_at_once, None);
    let window = Arc::new(Window::new(500));
    let (report, _) = deliver(&gateway, &window).await;
    assert_eq!(report.delivered, 5000);
    let most = most(&gateway);
    assert!((100..400).contains(&most), "{most} in flight");
}

#[tokio::test(start_paused = true)]
async fn client_that_does_not_read_lowers_the_posts_in_flight_of_no_other() {
    let mut gateway = Gateway::with(ANSWER, Duration::ZERO, None);
    gateway.stuck = vec![connection_id(7)];
    let window = Arc::new(Window::new(500));
    let (report, _) = deliver(&gateway, &window).await;
    let Settings { tries, .. } = Settings::default();
    assert_eq!((report.delivered, report.throttled), (4999, tries as usize));
    assert_eq!(most(&gateway), 500);
}

/// An audience so small that each event reaches all of them within a round.
#[tokio::test(start_paused = true)]
async fn clients_that_do_not_read_lower_the_posts_in_flight_once_and_not_with_each_event() {
    let mut gateway = Gateway::with(ANSWER, Duration::ZERO, None);
    gateway.stuck = (0..5).map(connection_id).collect();
    let window = Arc::new(Window::new(500));
    for _ in 0..10 {
        let (report, _) = deliver_to(90, &gateway, &window).await;
        assert_eq!(report.delivered, 85);
    }
    most(&gateway);
    gateway.stuck.clear();
    deliver_to(200, &gateway, &window).await;
    let most = most(&gateway);
    assert!(most >= 50, "{most} in flight");
}

/// With a fixed number of 100 posts in flight, 4,281 posts were answered 429, and 883 connections were requeued.
#[tokio::test(start_paused = true)]
async fn throttled_gateway_gets_all_posts_at_its_rate_and_answers_few_429() {
    let gateway = Gateway::with(ANSWER, Duration::ZERO, Some(1500.0));
    let window = Arc::new(Window::new(Settings::default().in_flight));
    let (report, took) = deliver(&gateway, &window).await;
    assert!(report.requeued < 100, "{} of 5000", report.requeued);
    assert!(report.throttled < 1000, "{} of 5000", report.throttled);
    // The first 1,500 posts are within the burst.
    let at_least = Duration::from_secs_f64(3500.0 / 1500.0);
    assert!(took < at_least * 3 / 2, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn window_begins_again_after_a_minute_without_posts() {
    let gateway = Gateway::with(ANSWER, Duration::ZERO, None);
    let window = Arc::new(Window::new(500));
    deliver(&gateway, &window).await;
    tokio::time::sleep(MINUTE + ANSWER).await;
    let (_, took) = deliver(&gateway, &window).await;
    assert!(took > 10 * ANSWER);
}
