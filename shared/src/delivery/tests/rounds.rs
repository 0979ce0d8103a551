//! The number of messages of an event when the gateway answers no post, or the time is too short.

use super::*;

const PAGE: usize = 6_472;

#[tokio::test(start_paused = true)]
async fn page_without_any_answer_is_requeued_at_once_for_the_next_attempt() {
    let store = subscribers(PAGE, PAGE + 1).await;
    let queues = MemoryQueues::default();
    let delivery = Delivery::new(&store, &SilentPoster, &queues, Settings::default());
    let started = Instant::now();
    let report = delivery.deliver(&push(), started + MINUTE).await;
    assert_eq!(report.expect("delivered").requeued, PAGE);
    // One time-out and a pause.
    assert!(started.elapsed() < Duration::from_secs(6));
    let (connections, attempt, delay) = requeued(&queues);
    assert_eq!((connections, attempt), (PAGE, 2));
    assert!(delay >= Duration::from_secs(1));
}

/// A try that reads a token, posts and closes may take a time-out for each call.
#[tokio::test(start_paused = true)]
async fn calls_of_the_last_try_end_within_the_reserve() {
    let store = subscribers(1, 100).await;
    let queues = MemoryQueues::default();
    let settings = Settings {
        tries: 1,
        ..Settings::default()
    };
    let delivery = Delivery::new(&store, &SilentToAll, &queues, settings.clone());
    let started = Instant::now();
    let closing = Push {
        then_disconnect: true,
        ..push()
    };
    let deadline = started + settings.reserve + Duration::from_millis(1);
    let report = delivery.deliver(&closing, deadline).await;
    assert_eq!(report.expect("delivered").requeued, 1);
    assert!(started.elapsed() <= settings.post_timeout + Duration::from_millis(2));
}

/// A gateway that answers neither posts nor closes.
struct SilentToAll;

impl Post for SilentToAll {
    async fn post(&self, _: &ConnectionId, _: &str) -> Result<(), PostError> {
        std::future::pending().await
    }

    async fn disconnect(&self, _: &ConnectionId) -> Result<(), PostError> {
        std::future::pending().await
    }
}

/// Pushes of one batch share the circuit.
#[tokio::test(start_paused = true)]
async fn ten_pushes_of_a_batch_wait_for_one_time_out() {
    let store = subscribers(1000, 2000).await;
    let queues = MemoryQueues::default();
    let delivery = Delivery::new(&store, &SilentPoster, &queues, Settings::default());
    let started = Instant::now();
    let push = push();
    let pushes = (0..10).map(|_| delivery.deliver(&push, started + MINUTE));
    for report in futures_util::future::join_all(pushes).await {
        assert_eq!(report.expect("delivered").requeued, 1000);
    }
    assert!(started.elapsed() < Duration::from_secs(6));
}

#[tokio::test(start_paused = true)]
async fn event_to_silent_gateway_makes_one_message_per_attempt_and_a_dead_letter() {
    let store = subscribers(PAGE, PAGE + 1).await;
    let queues = MemoryQueues::default();
    let settings = Settings::default();
    let mut waiting = vec![push()];
    let mut messages = 0;
    while let Some(push) = waiting.pop() {
        // A batch of its own, with a closed circuit.
        let delivery = Delivery::new(&store, &SilentPoster, &queues, settings.clone());
        let delivered = delivery.deliver(&push, Instant::now() + MINUTE).await;
        delivered.expect("delivered");
        messages += 1;
        waiting.extend(queues.take().into_iter().map(|(push, _)| push));
    }
    assert_eq!(messages, settings.attempts);
    let dead_letters = queues.dead_letters();
    let [(_, reason)] = &dead_letters[..] else {
        panic!("{} dead letters", dead_letters.len())
    };
    assert_eq!(
        reason,
        "not reached in 6 attempts: the gateway did not answer in time"
    );
}

/// A gateway that answers some posts does not open the circuit, however many others it does not answer.
#[tokio::test(start_paused = true)]
async fn gateway_that_answers_one_in_ten_gets_every_post() {
    let store = subscribers(1000, 2000).await;
    let poster = ScriptedPoster::new(|connection, _| match connection.as_str() {
        id if id.ends_with('7') => Ok(()),
        _ => Err(unavailable()),
    });
    let queues = MemoryQueues::default();
    let delivery = Delivery::new(&store, &poster, &queues, Settings::default());
    let report = delivery.deliver(&push(), Instant::now() + MINUTE).await;
    assert_eq!(report.expect("delivered").delivered, 100);
    for number in 0..1000 {
        assert!(poster.posts(&connection_id(number)).tries > 0, "{number}");
    }
}

/// Untried connections keep their attempt, but only for a limited number of rounds.
#[tokio::test(start_paused = true)]
async fn untried_connections_are_dead_letters_after_bounded_rounds() {
    let store = subscribers(5, 100).await;
    let poster = ScriptedPoster::new(|_, _| Ok(()));
    let queues = MemoryQueues::default();
    let settings = Settings {
        rounds: 2,
        attempts: 3,
        ..Settings::default()
    };
    let delivery = Delivery::new(&store, &poster, &queues, settings);
    let mut waiting = vec![push()];
    let mut seen = Vec::new();
    while let Some(push) = waiting.pop() {
        assert!(seen.len() < 100, "{seen:?}");
        // There is time to requeue, and none to post.
        let delivered = delivery
            .deliver(&push, Instant::now() + Duration::from_secs(11))
            .await;
        delivered.expect("delivered");
        for (push, _) in queues.take() {
            let body = push.to_queue_body();
            let push = Push::from_queue_body(&body).expect("a push");
            if let Recipients::Connections {
                attempt, rounds, ..
            } = &push.recipients
            {
                seen.push((*attempt, *rounds));
            }
            waiting.push(push);
        }
    }
    assert_eq!(
        seen,
        [
            (1, 1),
            (1, 2),
            (2, 0),
            (2, 1),
            (2, 2),
            (3, 0),
            (3, 1),
            (3, 2)
        ]
    );
    let dead_letters = queues.dead_letters();
    let [(body, reason)] = &dead_letters[..] else {
        panic!("{dead_letters:?}")
    };
    assert_eq!(
        reason,
        "not reached in 3 attempts: the time ran out before they were tried"
    );
    let read = Push::from_queue_body(body).expect("a push");
    let Recipients::Connections {
        attempt, rounds, ..
    } = read.recipients
    else {
        panic!("{body}")
    };
    assert_eq!((attempt, rounds), (1, 0));
}
