//! Connections that answer 410 because their handshake is not finished.

use super::*;
use crate::audience::YOUNG;

/// Returns whether a connection is stored.
async fn is_stored(store: &MemoryStore) -> bool {
    let page = store.read_audience(&audience(), &Range::WHOLE).await;
    !page.expect("a page").recipients.is_empty()
}

fn seconds_ago(seconds: u64) -> SystemTime {
    SystemTime::now() - Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn young_connection_that_opens_later_gets_the_push_by_retry() {
    let store = subscribers_since(SystemTime::now(), 1, 100).await;
    let poster = ScriptedPoster::new(|_, nth| match nth {
        1 | 2 => Err(PostError::Gone),
        _ => Ok(()),
    });
    let queues = MemoryQueues::default();
    let reports = deliver_all(&store, &poster, &queues, push()).await;
    assert_eq!((reports.len(), reports[0].delivered), (1, 1));
    assert_eq!((reports[0].gone, reports[0].retried), (0, 2));
    assert!(is_stored(&store).await);
}

#[tokio::test(start_paused = true)]
async fn young_connection_is_requeued_and_not_forgotten() {
    let store = subscribers_since(SystemTime::now(), 1, 100).await;
    let poster = ScriptedPoster::new(|_, nth| match nth {
        1..=3 => Err(PostError::Gone),
        _ => Ok(()),
    });
    let queues = MemoryQueues::default();
    let delivery = Delivery::new(&store, &poster, &queues, Settings::default());
    let report = delivery.deliver(&push(), Instant::now() + MINUTE).await;
    let report = report.expect("delivered");
    assert_eq!((report.gone, report.requeued), (0, 1));
    assert!(is_stored(&store).await);
    let [(again, delay)] = &queues.take()[..] else {
        panic!("one message")
    };
    assert!((1..=2).contains(&delay.as_secs()), "{delay:?}");
    let again = Push::from_queue_body(&again.to_queue_body()).expect("a push");
    let reports = deliver_all(&store, &poster, &queues, again).await;
    assert_eq!((reports.len(), reports[0].delivered), (1, 1));
}

/// The age travels on the queue.
#[tokio::test(start_paused = true)]
async fn requeued_connection_that_is_old_is_forgotten() {
    let old = YOUNG.as_secs() + 1;
    for (age, forgotten) in [(old, true), (0, false)] {
        let store = subscribers_since(seconds_ago(age), 1, 100).await;
        let poster = ScriptedPoster::new(|_, _| Err(PostError::Gone));
        let queues = MemoryQueues::default();
        let young = Recipient {
            connected_at: seconds_ago(age),
            ..recipient(0)
        };
        let body = push().to(named(vec![young], 2)).to_queue_body();
        let read = Push::from_queue_body(&body).expect("a push");
        let delivery = Delivery::new(&store, &poster, &queues, Settings::default());
        let report = delivery.deliver(&read, Instant::now() + MINUTE).await;
        assert_eq!(report.expect("delivered").gone, usize::from(forgotten));
        assert_eq!(is_stored(&store).await, !forgotten);
    }
}

/// After the last attempt, the message is delayed until a 410 is final.
#[tokio::test(start_paused = true)]
async fn connection_that_never_opens_is_forgotten_without_dead_letter() {
    let settings = Settings {
        attempts: 1,
        ..Settings::default()
    };
    let store = subscribers_since(seconds_ago(10), 1, 100).await;
    let poster = ScriptedPoster::new(|_, _| Err(PostError::Gone));
    let queues = MemoryQueues::default();
    let delivery = Delivery::new(&store, &poster, &queues, settings);
    let report = delivery.deliver(&push(), Instant::now() + MINUTE).await;
    assert_eq!(report.expect("delivered").requeued, 1);
    let [(again, delay)] = &queues.take()[..] else {
        panic!("one message")
    };
    assert!((19..=21).contains(&delay.as_secs()), "{delay:?}");

    // The connection ages by the delay.
    let Recipients::Connections {
        mut connections,
        attempt,
        ..
    } = again.recipients.clone()
    else {
        panic!("{again:?}")
    };
    assert_eq!(attempt, 2);
    connections[0].connected_at -= *delay;
    let again = push().to(named(connections, attempt));
    let report = delivery.deliver(&again, Instant::now() + MINUTE).await;
    assert_eq!(report.expect("delivered").gone, 1);
    assert!(!is_stored(&store).await);
    assert!(queues.take().is_empty() && queues.dead_letters().is_empty());
}

/// A poster during whose posts a young connection becomes old.
struct GrowsOld;

impl Post for GrowsOld {
    async fn post(&self, _: &ConnectionId, _: &str) -> Result<(), PostError> {
        // The age is measured by the wall clock.
        std::thread::sleep(Duration::from_millis(1_100));
        Err(PostError::Gone)
    }

    async fn disconnect(&self, _: &ConnectionId) -> Result<(), PostError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn age_is_checked_before_the_post() {
    let settings = Settings {
        tries: 1,
        ..Settings::default()
    };
    let almost_old = seconds_ago(YOUNG.as_secs()) + Duration::from_secs(1);
    let store = subscribers_since(almost_old, 1, 100).await;
    let queues = MemoryQueues::default();
    let delivery = Delivery::new(&store, &GrowsOld, &queues, settings);
    let report = delivery.deliver(&push(), Instant::now() + MINUTE).await;
    assert_eq!(report.expect("delivered").gone, 0);
    assert!(is_stored(&store).await);
}
