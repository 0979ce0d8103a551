//! Queues that do not take what is left.

use super::*;

/// A poster that reaches everybody but the first connection.
fn all_but_one() -> ScriptedPoster {
    ScriptedPoster::new(|connection, _| match connection.as_str() {
        "c-0" => Err(unavailable()),
        _ => Ok(()),
    })
}

fn trouble(enqueue: usize, dead_letter: usize) -> Trouble {
    Trouble {
        enqueue,
        stored: 0,
        dead_letter,
    }
}

#[tokio::test(start_paused = true)]
async fn queue_that_refuses_at_first_takes_what_is_left_later() {
    let store = subscribers(20, 100).await;
    let poster = all_but_one();
    let queues = MemoryQueues::default();
    queues.set_trouble(trouble(5, 0));
    let delivery = Delivery::new(&store, &poster, &queues, Settings::default());
    let report = delivery.deliver(&push(), Instant::now() + MINUTE).await;
    assert_eq!(report.expect("delivered").requeued, 1);
    assert_eq!(put_back(&queues).0, 1);
    for number in 1..20 {
        assert_eq!(poster.posts(&connection_id(number)).tries, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn queue_that_refuses_for_good_leaves_a_dead_letter_of_those_alone_in_time() {
    let store = subscribers(20, 100).await;
    let poster = all_but_one();
    let queues = MemoryQueues::default();
    queues.set_trouble(trouble(usize::MAX, 2));
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
        "could not be put back on the queue: failed to write to the queue: the queue was told to fail"
    );
    let read = Push::from_queue_body(body).expect("a push");
    assert_eq!(read.recipients, named(vec![recipient(0)], 1));
}

#[tokio::test(start_paused = true)]
async fn what_neither_queue_takes_is_left_with_its_attempt() {
    let store = subscribers(20, 100).await;
    let poster = all_but_one();
    let queues = MemoryQueues::default();
    queues.set_trouble(Trouble::WITH_ALL);
    let delivery = Delivery::new(&store, &poster, &queues, Settings::default());
    let deadline = Instant::now() + MINUTE;
    let error = delivery.deliver(&push(), deadline).await;
    assert!(Instant::now() < deadline);
    let Err(DeliveryError::PutBack { left, report, .. }) = error else {
        panic!("{error:?}")
    };
    assert_eq!((report.audience, report.delivered), (20, 19));
    let [left] = &left[..] else {
        panic!("{left:?}")
    };
    assert_eq!(left.recipients, named(vec![recipient(0)], 2));
}

#[tokio::test(start_paused = true)]
async fn audience_whose_rest_is_refused_gets_no_post() {
    let store = subscribers(1000, 100).await;
    let poster = ScriptedPoster::new(|_, _| Ok(()));
    let queues = MemoryQueues::default();
    queues.set_trouble(Trouble::WITH_ALL);
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

/// The part of the rest that the queue took must not be put there again.
#[tokio::test(start_paused = true)]
async fn rest_that_is_taken_in_part_is_completed_and_reaches_everybody_once() {
    for refusals in [1, usize::MAX] {
        let store = subscribers(1000, 100).await;
        let poster = ScriptedPoster::new(|_, _| Ok(()));
        let queues = MemoryQueues::default();
        queues.set_trouble(Trouble {
            enqueue: refusals,
            stored: 3,
            dead_letter: 0,
        });
        let delivery = Delivery::new(&store, &poster, &queues, Settings::default());
        let mut waiting = vec![push()];
        let mut left_over = false;
        while let Some(push) = waiting.pop() {
            let delivered = delivery.deliver(&push, Instant::now() + MINUTE).await;
            match delivered {
                Ok(_) => {}
                // As the notifier does.
                Err(DeliveryError::PutBack { left, .. }) => {
                    left_over = true;
                    waiting.extend(left);
                }
                Err(error) => panic!("{error:?}"),
            }
            queues.set_trouble(Trouble::default());
            waiting.extend(queues.take().into_iter().map(|(push, _)| push));
        }
        assert_eq!(left_over, refusals == usize::MAX);
        for number in 0..1000 {
            assert_eq!(poster.posts(&connection_id(number)).tries, 1, "{number}");
        }
    }
}
