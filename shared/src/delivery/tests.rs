//! Delivery with a store, a poster and queues in memory, and the clock paused.

mod continuations;
mod forgetting;
mod opening;
mod pace;
mod put_back;
mod rounds;
mod tokens;
mod windows;

use std::time::{Duration, SystemTime};

use serde_json::{Value, value::RawValue};
use tokio::time::Instant;

use super::{Delivery, DeliveryError, Report, Settings};
use crate::{
    audience::{ALL_SLOTS, Audience, Range, Recipient},
    ids::{ConnectionId, EntityId},
    post::{Post, PostError, scripted::ScriptedPoster},
    push::{Push, Recipients},
    queue::memory::{MemoryQueues, QueueFaults},
    store::{
        Connection, ConnectionStore, CurrentToken, Forget, Page, ReadAudience, ReadToken,
        StoreError, Subscription, memory::MemoryStore,
    },
    token_expiry::TokenExpiry,
};

const MINUTE: Duration = Duration::from_secs(60);

fn connection_id(number: usize) -> ConnectionId {
    ConnectionId::new(format!("c-{number}")).expect("an id")
}

fn recipient(number: usize) -> Recipient {
    Recipient {
        connection: connection_id(number),
        connected_at: std::time::UNIX_EPOCH,
        token_expires_at: None,
    }
}

fn audience() -> Audience {
    Audience::Entity(entity())
}

/// Returns these connections by name, for an attempt.
fn named(connections: Vec<Recipient>, attempt: u32) -> Recipients {
    Recipients::Connections {
        audience: audience(),
        connections,
        slots: ALL_SLOTS,
        attempt,
        rounds: 0,
    }
}

fn entity() -> EntityId {
    EntityId::new("order-1").expect("an id")
}

/// Returns a store in which this many connections are subscribed, none of them young.
async fn subscribers(count: usize, page_size: usize) -> MemoryStore {
    subscribers_since(SystemTime::UNIX_EPOCH, count, page_size).await
}

/// Returns the same store with all connections opened at this time.
async fn subscribers_since(
    connected_at: SystemTime,
    count: usize,
    page_size: usize,
) -> MemoryStore {
    let store = MemoryStore::new(page_size);
    for number in 0..count {
        let connection = Connection {
            id: connection_id(number),
            connected_at,
            ip_address: None,
            user_agent: None,
            user: None,
            token_expires_at: None,
        };
        store.connect(&connection).await.expect("a store");
        store
            .subscribe(subscription(&connection, &entity()), 1)
            .await
            .expect("a store");
    }
    store
}

fn subscription<'a>(connection: &'a Connection, entity: &'a EntityId) -> Subscription<'a> {
    Subscription {
        connection: &connection.id,
        connected_at: connection.connected_at,
        token_expires_at: connection.token_expires_at,
        entities: std::slice::from_ref(entity),
        watched: &[],
        user: None,
        info: None,
    }
}

fn push() -> Push {
    push_of(r#"{"type":"Entity Updated"}"#)
}

fn push_of(frame: &str) -> Push {
    Push {
        event_id: "e-1".to_owned(),
        time: "2026-11-20T10:15:30Z".to_owned(),
        recipients: Recipients::all(audience()),
        except: None,
        frame: RawValue::from_string(frame.to_owned()).expect("JSON"),
        position: None,
        version: None,
        to_watchers: false,
        then_disconnect: false,
    }
}

fn unavailable() -> PostError {
    PostError::Unavailable("500".into())
}

/// Delivers a push and everything that comes back on the queue, until nothing does.
async fn deliver_all<P: Post>(
    store: &MemoryStore,
    poster: &P,
    queues: &MemoryQueues,
    push: Push,
) -> Vec<Report> {
    let delivery = Delivery::new(store, poster, queues, Settings::default());
    let mut waiting = vec![push];
    let mut reports = Vec::new();
    while let Some(push) = waiting.pop() {
        let report = delivery.deliver(&push, Instant::now() + MINUTE).await;
        reports.push(report.expect("delivered"));
        waiting.extend(queues.take().into_iter().map(|(push, _)| push));
    }
    reports
}

/// Returns the number of connections that the only message on the queue names, its attempt and its
/// delay.
fn requeued(queues: &MemoryQueues) -> (usize, u32, Duration) {
    let waiting = queues.take();
    let [(push, delay)] = &waiting[..] else {
        panic!("{waiting:?}")
    };
    let Recipients::Connections {
        connections,
        attempt,
        ..
    } = &push.recipients
    else {
        panic!("{push:?}")
    };
    (connections.len(), *attempt, *delay)
}

#[tokio::test(start_paused = true)]
async fn audience_of_one_page_needs_no_further_message() {
    let store = subscribers(99, 100).await;
    let poster = ScriptedPoster::new(|_, _| Ok(()));
    let queues = MemoryQueues::default();
    let reports = deliver_all(&store, &poster, &queues, push()).await;
    assert_eq!(reports.len(), 1);
    assert_eq!((reports[0].audience, reports[0].delivered), (99, 99));
    assert!(reports[0].last_post_at.is_some());
    for number in 0..99 {
        assert_eq!(
            poster.posts(&connection_id(number)).taken,
            [push().frame.get()]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn large_audience_is_reached_once_over_continuations() {
    let store = subscribers(10_000, 700).await;
    let poster = ScriptedPoster::new(|_, _| Ok(()));
    let queues = MemoryQueues::default();
    let reports = deliver_all(&store, &poster, &queues, push()).await;
    assert_eq!(
        reports.iter().map(|report| report.delivered).sum::<usize>(),
        10_000
    );
    for number in 0..10_000 {
        assert_eq!(poster.posts(&connection_id(number)).tries, 1, "{number}");
    }
    // The first page is enough to divide the rest, so that nearly all of it is delivered in parallel.
    let first = reports[0].continuations;
    assert!(first >= 10_000 / 700, "{first}");
    assert!(
        reports.len() <= first + first / 4,
        "{} of {first}",
        reports.len()
    );
}

#[tokio::test(start_paused = true)]
async fn sender_gets_no_post() {
    let store = subscribers(10, 100).await;
    let poster = ScriptedPoster::new(|_, _| Ok(()));
    let queues = MemoryQueues::default();
    let from_sender = Push {
        except: Some(connection_id(3)),
        ..push()
    };
    let reports = deliver_all(&store, &poster, &queues, from_sender).await;
    assert_eq!(reports[0].delivered, 9);
    assert_eq!(poster.posts(&connection_id(3)).tries, 0);
}

#[tokio::test(start_paused = true)]
async fn transient_error_is_retried_for_that_connection_only() {
    let store = subscribers(100, 1000).await;
    let poster = ScriptedPoster::new(|connection, nth| match connection.as_str() {
        "c-1" if nth <= 2 => Err(PostError::Throttled),
        "c-2" if nth == 1 => Err(unavailable()),
        "c-3" if nth == 1 => Err(PostError::TimedOut),
        _ => Ok(()),
    });
    let queues = MemoryQueues::default();
    let reports = deliver_all(&store, &poster, &queues, push()).await;
    assert_eq!(reports.len(), 1);
    let Report {
        delivered,
        throttled,
        retried,
        requeued,
        dead_lettered,
        ..
    } = reports[0];
    assert_eq!((delivered, throttled, retried), (100, 2, 4));
    assert_eq!((requeued, dead_lettered), (0, 0));
    for number in 0..100 {
        let posts = poster.posts(&connection_id(number));
        assert_eq!(posts.taken.len(), 1);
        let tries = [1, 3, 2, 2].get(number).copied().unwrap_or(1);
        assert_eq!(posts.tries, tries, "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn connection_that_always_fails_is_a_dead_letter_after_the_last_attempt() {
    let store = subscribers(100, 1000).await;
    let poster = ScriptedPoster::new(|connection, _| match connection.as_str() {
        "c-7" => Err(PostError::Throttled),
        _ => Ok(()),
    });
    let queues = MemoryQueues::default();
    let reports = deliver_all(&store, &poster, &queues, push()).await;
    let Settings {
        tries, attempts, ..
    } = Settings::default();
    assert_eq!(reports.len(), attempts as usize);
    assert_eq!(
        poster.posts(&connection_id(7)).tries,
        (tries * attempts) as usize
    );
    let others = (0..100).filter(|number| *number != 7);
    for number in others {
        assert_eq!(poster.posts(&connection_id(number)).tries, 1);
    }
    let dead_letters = queues.dead_letters();
    let [(body, reason)] = &dead_letters[..] else {
        panic!("{dead_letters:?}")
    };
    assert_eq!(
        reason,
        "not reached in 6 attempts: the gateway answered 429"
    );
    let again = Push::from_queue_body(body).expect("a push");
    assert_eq!(
        (again.event_id, again.frame.get()),
        (push().event_id, push().frame.get())
    );
    assert_eq!(again.recipients, named(vec![recipient(7)], 1));
}

#[tokio::test(start_paused = true)]
async fn failed_attempt_is_requeued_with_delay() {
    let store = subscribers(3, 100).await;
    let poster = ScriptedPoster::new(|_, _| Err(unavailable()));
    let queues = MemoryQueues::default();
    let delivery = Delivery::new(&store, &poster, &queues, Settings::default());
    let report = delivery.deliver(&push(), Instant::now() + MINUTE).await;
    assert_eq!(report.expect("delivered").requeued, 3);
    let (connections, attempt, delay) = requeued(&queues);
    assert!((1..=10).contains(&delay.as_secs()), "{delay:?}");
    assert_eq!((connections, attempt), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn gone_connection_is_forgotten_without_failure() {
    let store = subscribers(10, 100).await;
    let poster = ScriptedPoster::new(|connection, _| match connection.as_str() {
        "c-4" | "c-5" => Err(PostError::Gone),
        _ => Ok(()),
    });
    let queues = MemoryQueues::default();
    let reports = deliver_all(&store, &poster, &queues, push()).await;
    assert_eq!(reports.len(), 1);
    assert_eq!((reports[0].delivered, reports[0].gone), (8, 2));
    let Recipients::Audience { audience, range } = push().recipients else {
        panic!("an audience")
    };
    let page = store
        .read_audience(&audience, &range)
        .await
        .expect("a page");
    assert_eq!(page.recipients.len(), 8);
    assert!(!page.recipients.contains(&recipient(4)));
}

#[tokio::test(start_paused = true)]
async fn disconnecting_push_closes_and_forgets_connections_that_refuse_the_frame() {
    let store = subscribers(4, 100).await;
    let poster = ScriptedPoster::new(|connection, nth| match connection.as_str() {
        "c-1" => Err(PostError::Throttled),
        "c-2" if nth == 1 => Err(unavailable()),
        "c-3" => Err(PostError::Gone),
        _ => Ok(()),
    });
    let queues = MemoryQueues::default();
    let disconnecting = Push {
        then_disconnect: true,
        ..push()
    };
    let reports = deliver_all(&store, &poster, &queues, disconnecting).await;
    assert_eq!((reports.len(), reports[0].delivered), (1, 0));
    assert_eq!((reports[0].disconnected, reports[0].gone), (3, 1));
    for (number, tries, taken, disconnected) in [
        (0, 1, 1, true),
        (1, 3, 0, true),
        (2, 2, 1, true),
        (3, 1, 0, false),
    ] {
        let posts = poster.posts(&connection_id(number));
        assert_eq!(
            (posts.tries, posts.taken.len(), posts.disconnected),
            (tries, taken, disconnected),
            "{number}"
        );
    }
    let everyone = store
        .read_audience(&Audience::Everyone, &Range::WHOLE)
        .await;
    assert!(everyone.expect("a page").recipients.is_empty());
}

/// A poster whose posts take a second each.
struct SlowPoster;

impl Post for SlowPoster {
    async fn post(&self, _: &ConnectionId, _: &str) -> Result<(), PostError> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    }

    async fn disconnect(&self, _: &ConnectionId) -> Result<(), PostError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn no_post_starts_after_the_stop_time() {
    let store = subscribers(1000, 2000).await;
    let queues = MemoryQueues::default();
    let settings = Settings {
        in_flight: 10,
        reserve: Duration::from_secs(10),
        ..Settings::default()
    };
    let delivery = Delivery::new(&store, &SlowPoster, &queues, settings);
    let started = Instant::now();
    let deadline = started + Duration::from_secs(30);
    let report = delivery
        .deliver(&push(), deadline)
        .await
        .expect("delivered");
    // Ten at once, a second each, for the twenty seconds before the reserve.
    assert_eq!((report.delivered, report.requeued), (200, 800));
    assert_eq!(started.elapsed(), Duration::from_secs(20));
    let (connections, attempt, delay) = requeued(&queues);
    assert_eq!(delay, Duration::ZERO);
    // An untried connection keeps its attempt.
    assert_eq!((connections, attempt), (800, 1));
}

/// A poster that never answers.
struct SilentPoster;

impl Post for SilentPoster {
    async fn post(&self, _: &ConnectionId, _: &str) -> Result<(), PostError> {
        std::future::pending().await
    }

    async fn disconnect(&self, _: &ConnectionId) -> Result<(), PostError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn silent_gateway_ends_the_delivery_before_its_deadline() {
    let store = subscribers(3, 100).await;
    let queues = MemoryQueues::default();
    let delivery = Delivery::new(&store, &SilentPoster, &queues, Settings::default());
    let started = Instant::now();
    let report = delivery
        .deliver(&push(), started + MINUTE)
        .await
        .expect("delivered");
    assert_eq!((report.delivered, report.requeued), (0, 3));
    assert!(started.elapsed() < MINUTE);
}

#[tokio::test(start_paused = true)]
async fn forbidden_post_is_retried_and_then_a_dead_letter_with_the_reason() {
    let store = subscribers(3, 100).await;
    let poster = ScriptedPoster::new(|connection, nth| match connection.as_str() {
        "c-0" => Err(PostError::Forbidden("403".into())),
        "c-1" if nth <= 4 => Err(PostError::Forbidden("403".into())),
        _ => Ok(()),
    });
    let queues = MemoryQueues::default();
    let reports = deliver_all(&store, &poster, &queues, push()).await;
    assert_eq!(reports.len(), 6);
    assert_eq!(poster.posts(&connection_id(0)).tries, 18);
    let taken = poster.posts(&connection_id(1));
    assert_eq!((taken.tries, taken.taken.len()), (5, 1));
    let dead_letters = queues.dead_letters();
    let [(body, reason)] = &dead_letters[..] else {
        panic!("{dead_letters:?}")
    };
    assert!(
        body.contains(r#"["c-0",0]"#) && !body.contains("c-1"),
        "{body}"
    );
    assert_eq!(
        reason,
        "not reached in 6 attempts: the gateway denied the post: check the notifier's permissions \
         and endpoint: 403"
    );
}

#[tokio::test(start_paused = true)]
async fn frame_over_the_gateways_limit_is_reported_once() {
    let store = subscribers(2000, 5000).await;
    let poster = ScriptedPoster::new(|_, _| Err(PostError::TooLarge));
    let queues = MemoryQueues::default();
    let delivery = Delivery::new(&store, &poster, &queues, Settings::default());
    let error = delivery.deliver(&push(), Instant::now() + MINUTE).await;
    assert!(
        matches!(error, Err(DeliveryError::TooLarge { .. })),
        "{error:?}"
    );
    assert!(queues.take().is_empty() && queues.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn requeued_messages_keep_to_the_queues_size_limit() {
    let store = subscribers(80_000, 100_000).await;
    let poster = ScriptedPoster::new(|_, _| Err(unavailable()));
    let queues = MemoryQueues::default();
    // Each of these characters is escaped to twice its length on the queue.
    let large = "\u{ffff}".repeat(126 * 1024 / 3);
    let large = serde_json::to_string(&Value::from(large)).expect("JSON");
    let delivery = Delivery::new(&store, &poster, &queues, Settings::default());
    let push = push_of(&large);
    let report = delivery.deliver(&push, Instant::now() + MINUTE).await;
    assert_eq!(report.expect("delivered").requeued, 80_000);
    let waiting = queues.take();
    assert!(waiting.len() > 1);
    let mut named = 0;
    for (push, _) in &waiting {
        let length = push.to_queue_body().len();
        assert!(length <= 1000 * 1024, "{length}");
        if let Recipients::Connections { connections, .. } = &push.recipients {
            named += connections.len();
        }
    }
    assert_eq!(named, 80_000);
    // Every message but the last is as full as possible.
    assert!(waiting[0].0.to_queue_body().len() > 999 * 1024);
}
