//! Queues that refuse undelivered parts.

use super::*;

/// Returns a poster that reaches every connection but the first.
fn all_but_one() -> ScriptedPoster {
    ScriptedPoster::new(|connection, _| match connection.as_str() {
        "c-0" => Err(unavailable()),
        _ => Ok(()),
    })
}

fn faults(enqueue: usize, dead_letter: usize) -> QueueFaults {
    QueueFaults {
        enqueue,
        stored: 0,
        dead_letter,
    }
}

#[tokio::test(start_paused = true)]
async fn queue_that_refuses_at_first_accepts_a_retry() {
    let store = subscribers(20, 100).await;
    let poster = all_but_one();
    let queues = MemoryQueues::default();
    queues.set_faults(faults(5, 0));
    let delivery = Delivery::new(&store, &poster, &queues, Settings::default());
    let report = delivery.deliver(&push(), Instant::now() + MINUTE).await;
    assert_eq!(report.expect("delivered").requeued, 1);
    assert_eq!(requeued(&queues).0, 1);
    for number in 1..20 {
        assert_eq!(poster.posts(&connection_id(number)).tries, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn parts_refused_by_the_queue_are_dead_letters_before_the_deadline() {
    let store = subscribers(20, 100).await;
    let poster = all_but_one();
    let queues = MemoryQueues::default();
    queues.set_faults(faults(usize::MAX, 2));
    let delivery = Delivery::new(&store, &poster, &queues, Settings::default());
    let deadline = Instant::now() + MINUTE;
    let report = delivery.deliver(&push(), deadline).await;
    let report = report.expect("delivered");
    assert!(Instant::now() < deadline);
    assert_eq!((report.requeued, report.dead_lettered), (0, 1));
    let dead_letters = queues.dead_letters();
    let [(body, reason)] = &dead_letters[..] else {
        panic!("{dead_letters:?}")
    };
    assert_eq!(
        reason,
        "failed to requeue: failed to write to the queue: the queue was told to fail"
    );
    let read = Push::from_queue_body(body).expect("a push");
    assert_eq!(read.recipients, named(vec![recipient(0)], 1));
}

#[tokio::test(start_paused = true)]
async fn parts_refused_by_both_queues_are_returned_with_their_attempt() {
    let store = subscribers(20, 100).await;
    let poster = all_but_one();
    let queues = MemoryQueues::default();
    queues.set_faults(QueueFaults::ALL);
    let delivery = Delivery::new(&store, &poster, &queues, Settings::default());
    let deadline = Instant::now() + MINUTE;
    let error = delivery.deliver(&push(), deadline).await;
    assert!(Instant::now() < deadline);
    let Err(DeliveryError::NotRequeued { pushes, report, .. }) = error else {
        panic!("{error:?}")
    };
    assert_eq!((report.audience, report.delivered), (20, 19));
    let [part] = &pushes[..] else {
        panic!("{pushes:?}")
    };
    assert_eq!(part.recipients, named(vec![recipient(0)], 2));
}

#[tokio::test(start_paused = true)]
async fn audience_with_refused_continuations_gets_no_post() {
    let store = subscribers(1000, 100).await;
    let poster = ScriptedPoster::new(|_, _| Ok(()));
    let queues = MemoryQueues::default();
    queues.set_faults(QueueFaults::ALL);
    let delivery = Delivery::new(&store, &poster, &queues, Settings::default());
    let error = delivery.deliver(&push(), Instant::now() + MINUTE).await;
    assert!(
        matches!(error, Err(DeliveryError::Continue(_))),
        "{error:?}"
    );
    for number in 0..1000 {
        assert_eq!(poster.posts(&connection_id(number)).tries, 0);
    }
}

/// Continuations that the queue accepted must not be enqueued again.
#[tokio::test(start_paused = true)]
async fn partly_accepted_continuations_reach_each_connection_once() {
    for refusals in [1, usize::MAX] {
        let store = subscribers(1000, 100).await;
        let poster = ScriptedPoster::new(|_, _| Ok(()));
        let queues = MemoryQueues::default();
        queues.set_faults(QueueFaults {
            enqueue: refusals,
            stored: 3,
            dead_letter: 0,
        });
        let delivery = Delivery::new(&store, &poster, &queues, Settings::default());
        let mut waiting = vec![push()];
        let mut not_requeued = false;
        while let Some(push) = waiting.pop() {
            let delivered = delivery.deliver(&push, Instant::now() + MINUTE).await;
            match delivered {
                Ok(_) => {}
                // The notifier does the same.
                Err(DeliveryError::NotRequeued { pushes, .. }) => {
                    not_requeued = true;
                    waiting.extend(pushes);
                }
                Err(error) => panic!("{error:?}"),
            }
            queues.set_faults(QueueFaults::default());
            waiting.extend(queues.take().into_iter().map(|(push, _)| push));
        }
        assert_eq!(not_requeued, refusals == usize::MAX);
        for number in 0..1000 {
            assert_eq!(poster.posts(&connection_id(number)).tries, 1, "{number}");
        }
    }
}
