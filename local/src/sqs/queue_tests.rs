//! Tests of a queue's rules at exact times.

use std::time::UNIX_EPOCH;

use super::*;
use crate::sqs::testing;

const VISIBILITY: u64 = 30;
const RETENTION: u64 = 1000;

/// A queue with times in seconds and messages as bodies.
struct Harness {
    queue: Queue,
    sent: u32,
}

impl Harness {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut template::Queue)) -> Self {
        let mut definition = template::Queue {
            retention: Duration::from_secs(RETENTION),
            ..testing::queue()
        };
        change(&mut definition);
        Self {
            queue: Queue::new(definition),
            sent: 0,
        }
    }

    fn send(&mut self, at: u64, body: &str) {
        self.send_delayed(at, body, None);
    }

    fn send_delayed(&mut self, at: u64, body: &str, delay: Option<u64>) {
        self.sent += 1;
        let id = format!("id-{}", self.sent);
        let content = Arc::new(Content::text(body));
        self.queue
            .send(second(at), id, content, delay.map(Duration::from_secs));
    }

    fn receive(&mut self, at: u64) -> Vec<Received> {
        let result = self.queue.receive(second(at), 10, None);
        assert!(result.dead_letters.is_empty());
        result.received
    }

    fn receive_one(&mut self, at: u64) -> Received {
        self.receive(at).pop().expect("a message")
    }

    fn bodies(&mut self, at: u64) -> Vec<String> {
        bodies(&self.receive(at))
    }

    fn counts(&mut self, at: u64) -> (usize, usize, usize) {
        let counts = self.queue.counts(second(at));
        (counts.visible, counts.in_flight, counts.delayed)
    }
}

fn second(at: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(at)
}

fn bodies(received: &[Received]) -> Vec<String> {
    received
        .iter()
        .map(|message| message.content.body.clone())
        .collect()
}

#[test]
fn received_message_is_hidden_until_its_visibility_timeout_ends() {
    let mut harness = Harness::new();
    harness.send(0, "a");
    assert_eq!(harness.bodies(1), ["a"]);
    assert!(harness.bodies(VISIBILITY).is_empty());
    assert_eq!(harness.queue.next_due(), Some(second(1 + VISIBILITY)));
    let again = harness.receive_one(1 + VISIBILITY);
    assert_eq!(again.receive_count, 2);
    assert_eq!(again.sent_at, second(0));
    assert_eq!(again.first_received_at, second(1));
}

#[test]
fn receive_with_visibility_timeout_overrides_the_queue() {
    let mut harness = Harness::new();
    harness.send(0, "a");
    harness
        .queue
        .receive(second(0), 1, Some(Duration::from_secs(5)));
    assert!(harness.bodies(4).is_empty());
    assert_eq!(harness.bodies(5), ["a"]);
}

#[test]
fn message_received_with_visibility_timeout_zero_stays_visible() {
    let mut harness = Harness::new();
    harness.send(0, "a");
    let result = harness.queue.receive(second(0), 10, Some(Duration::ZERO));
    assert_eq!(bodies(&result.received), ["a"]);
    assert_eq!(harness.bodies(0), ["a"]);
}

#[test]
fn handle_of_an_earlier_receive_does_not_delete() {
    let mut harness = Harness::new();
    harness.send(0, "a");
    let slow = harness.receive_one(0);
    let quick = harness.receive_one(VISIBILITY);
    assert_eq!(slow.id, quick.id);
    assert_ne!(slow.receipt_handle, quick.receipt_handle);
    let now = second(VISIBILITY + 1);
    assert_eq!(harness.queue.delete(now, &slow.receipt_handle), Ok(()));
    assert_eq!(harness.counts(VISIBILITY + 1), (0, 1, 0));
    assert_eq!(harness.queue.delete(now, &quick.receipt_handle), Ok(()));
    assert_eq!(harness.counts(VISIBILITY + 1), (0, 0, 0));
}

#[test]
fn message_received_again_is_out_of_order() {
    let mut harness = Harness::new();
    harness.send(0, "first");
    harness.send(0, "second");
    let first = harness.queue.receive(second(0), 1, None).received;
    assert_eq!(bodies(&first), ["first"]);
    assert_eq!(harness.bodies(1), ["second"]);
    assert_eq!(harness.bodies(VISIBILITY), ["first"]);
}

#[test]
fn delete_after_visibility_timeout_succeeds_without_another_receive() {
    let mut harness = Harness::new();
    harness.send(0, "a");
    let received = harness.receive_one(0);
    let late = second(VISIBILITY + 5);
    assert_eq!(harness.queue.delete(late, &received.receipt_handle), Ok(()));
    assert_eq!(harness.counts(VISIBILITY + 5), (0, 0, 0));
}

#[test]
fn second_delete_succeeds_and_foreign_handle_is_refused() {
    let mut harness = Harness::new();
    harness.send(0, "a");
    let handle = harness.receive_one(0).receipt_handle;
    assert_eq!(harness.queue.delete(second(1), &handle), Ok(()));
    assert_eq!(harness.queue.delete(second(1), &handle), Ok(()));
    let mut other = Harness::with(|definition| definition.name = "other".to_owned());
    for (queue, handle) in [(&mut harness, "bogus"), (&mut other, handle.as_str())] {
        assert_eq!(
            queue.queue.delete(second(1), handle),
            Err(HandleError::Invalid)
        );
    }
}

#[test]
fn visibility_of_message_in_flight_can_be_extended_and_ended() {
    let mut harness = Harness::new();
    harness.send(0, "a");
    let handle = harness.receive_one(0).receipt_handle;
    let change = |harness: &mut Harness, at, timeout| {
        harness
            .queue
            .change_visibility(second(at), &handle, Duration::from_secs(timeout))
    };
    assert_eq!(change(&mut harness, 10, 60), Ok(()));
    assert!(harness.bodies(69).is_empty());
    assert_eq!(change(&mut harness, 69, 0), Ok(()));
    assert_eq!(harness.counts(69), (1, 0, 0));
    assert_eq!(change(&mut harness, 69, 5), Err(HandleError::NotInFlight));
    harness.receive_one(69);
    assert_eq!(change(&mut harness, 69, 5), Err(HandleError::Outdated));
}

#[test]
fn delayed_message_is_hidden() {
    let mut harness = Harness::with(|definition| definition.delay = Duration::from_secs(5));
    harness.send(0, "the queue's delay");
    harness.send_delayed(0, "its own delay", Some(2));
    harness.send_delayed(0, "no delay", Some(0));
    assert_eq!(harness.counts(0), (1, 0, 2));
    assert_eq!(harness.bodies(1), ["no delay"]);
    assert_eq!(harness.counts(1), (0, 1, 2));
    assert_eq!(harness.bodies(2), ["its own delay"]);
    assert_eq!(harness.bodies(5), ["the queue's delay"]);
}

#[test]
fn message_is_dropped_at_the_end_of_its_retention_even_in_flight() {
    let mut harness = Harness::new();
    harness.send(0, "waiting");
    harness.send(1, "younger");
    assert_eq!(harness.counts(RETENTION - 1), (2, 0, 0));
    harness.queue.receive(second(RETENTION - 1), 1, None);
    assert_eq!(harness.counts(RETENTION), (1, 0, 0));
    assert_eq!(harness.bodies(RETENTION), ["younger"]);
    assert_eq!(harness.counts(RETENTION + 1), (0, 0, 0));
}

#[test]
fn message_with_max_receive_count_becomes_a_dead_letter() {
    let mut harness = Harness::with(|definition| *definition = testing::queue_with_dead_letters(2));
    harness.send(0, "poison");
    harness.receive_one(0);
    harness.receive_one(VISIBILITY);
    harness.send(VISIBILITY, "good");
    assert_eq!(harness.counts(2 * VISIBILITY), (2, 0, 0));
    let result = harness.queue.receive(second(2 * VISIBILITY), 1, None);
    assert_eq!(bodies(&result.received), ["good"]);
    let [dead] = result.dead_letters.as_slice() else {
        panic!("expected one dead letter, got {result:?}");
    };
    assert_eq!(dead.dead_letter_source, Some(testing::queue().arn));
    assert_eq!(harness.counts(2 * VISIBILITY), (0, 1, 0));

    let mut dead_letter_queue = Harness::with(|definition| definition.name = "dead".to_owned());
    dead_letter_queue
        .queue
        .accept(second(2 * VISIBILITY), dead.clone());
    let received = dead_letter_queue.receive_one(2 * VISIBILITY);
    assert_eq!(received.id, "id-1");
    assert_eq!(received.sent_at, second(0));
    assert_eq!(received.receive_count, 3, "receives across queues");
    assert_eq!(
        dead_letter_queue.counts(RETENTION),
        (0, 0, 0),
        "the retention counts from the original send"
    );
}

#[test]
fn purge_removes_all_messages() {
    let mut harness = Harness::new();
    harness.send(0, "in flight");
    let handle = harness.receive_one(0).receipt_handle;
    harness.send(0, "visible");
    harness.send_delayed(0, "delayed", Some(5));
    harness.queue.purge();
    assert_eq!(harness.counts(0), (0, 0, 0));
    assert!(harness.bodies(RETENTION - 1).is_empty());
    assert_eq!(harness.queue.delete(second(0), &handle), Ok(()));
}

#[test]
fn take_out_refuses_message_in_flight() {
    let mut harness = Harness::new();
    harness.send(0, "received");
    harness.receive_one(0);
    harness.send(0, "visible");
    harness.send_delayed(0, "delayed", Some(5));
    let mut take_out = |at: u64, id: &str| {
        let taken = harness.queue.take_out(second(at), id);
        taken.map(|transfer| transfer.content.body.clone())
    };
    for (at, id, expected) in [
        (1, "id-1", Err(RemoveError::InFlight)),
        (1, "id-2", Ok("visible")),
        (1, "id-2", Err(RemoveError::NoSuchMessage)),
        (1, "id-3", Ok("delayed")),
        (1, "other", Err(RemoveError::NoSuchMessage)),
        (VISIBILITY, "id-1", Ok("received")),
    ] {
        let expected = expected.map(str::to_owned);
        assert_eq!(take_out(at, id), expected, "{id} at {at}");
    }
    assert_eq!(harness.counts(VISIBILITY), (0, 0, 0));
}

#[test]
fn oldest_orders_by_original_send_across_queues() {
    let mut source = Harness::new();
    source.send(0, "old");
    let old = source.queue.take_out(second(9), "id-1").expect("visible");
    let mut harness = Harness::new();
    harness.send(5, "middle");
    harness.queue.accept(second(9), old);
    harness.send(9, "new");
    for (count, expected) in [
        (0, &[][..]),
        (2, &["old", "middle"]),
        (9, &["old", "middle", "new"]),
    ] {
        let oldest = harness.queue.oldest(second(9), count);
        let bodies: Vec<_> = oldest.iter().map(|view| &view.content.body).collect();
        assert_eq!(bodies, expected);
    }
}

#[test]
fn messages_views_do_not_receive() {
    let mut harness = Harness::new();
    harness.send(0, "in flight");
    harness.receive_one(0);
    harness.send(0, "visible");
    harness.send_delayed(0, "delayed", Some(5));
    let views = harness.queue.messages(second(1));
    let states = views
        .iter()
        .map(|view| (view.content.body.as_str(), view.state))
        .collect::<Vec<_>>();
    assert_eq!(
        states,
        [
            ("in flight", MessageState::InFlight(second(VISIBILITY))),
            ("visible", MessageState::Visible),
            ("delayed", MessageState::Delayed(second(5))),
        ]
    );
    assert_eq!(harness.bodies(1), ["visible"]);
}

#[test]
fn duplicated_message_is_received_again_at_once() {
    let mut harness = Harness::new();
    harness.queue.set_faults(Faults {
        duplicates: 1.0,
        ..Faults::default()
    });
    harness.send(0, "a");
    let first = harness.receive_one(0);
    let second = harness.receive_one(0);
    assert_eq!((first.receive_count, second.receive_count), (1, 2));
}

#[test]
fn shuffled_queue_changes_order_and_loses_no_message() {
    let mut harness = Harness::new();
    harness.queue.set_faults(Faults {
        shuffle: true,
        ..Faults::default()
    });
    let sent: Vec<_> = (0..100).map(|number| format!("{number:03}")).collect();
    for body in &sent {
        harness.send(0, body);
    }
    let mut received: Vec<_> = (0..10).flat_map(|_| harness.receive(0)).collect();
    let order: Vec<_> = received
        .iter()
        .map(|message| message.content.body.clone())
        .collect();
    assert_ne!(order, sent);
    received.sort_by(|one, other| one.content.body.cmp(&other.content.body));
    let bodies: Vec<_> = received
        .iter()
        .map(|message| message.content.body.clone())
        .collect();
    assert_eq!(bodies, sent);
}
