//! Tests of the mapping with a closure as its function, on paused time.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::*;
use crate::{
    activity::Activity,
    lambda::{FunctionError, Invocation},
    sqs::testing::{dead_letter_queue, queue, queue_with_dead_letters},
};

const VISIBILITY: Duration = Duration::from_secs(30);

/// A record of an invocation: its id, body and receive count.
#[derive(Clone, Debug, PartialEq)]
struct SeenRecord {
    id: String,
    body: String,
    receives: String,
}

type Behaviour = dyn Fn(Vec<SeenRecord>) -> BoxFuture<'static, Invocation> + Send + Sync;

/// A function and the batches that it was invoked with.
struct Function {
    behaviour: Box<Behaviour>,
    batches: Mutex<Vec<Vec<SeenRecord>>>,
}

impl Invoke for Function {
    fn invoke<'a>(&'a self, function: &'a str, payload: Bytes) -> BoxFuture<'a, Invocation> {
        assert_eq!(function, "Notifier");
        assert!(payload.len() <= event::MAXIMUM_EVENT);
        let event = serde_json::from_slice::<Value>(&payload).expect("an event");
        let records = event["Records"]
            .as_array()
            .expect("records")
            .iter()
            .map(seen);
        let records = records.collect::<Vec<_>>();
        self.batches.lock().expect("no panic").push(records.clone());
        (self.behaviour)(records)
    }
}

fn seen(record: &Value) -> SeenRecord {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    SeenRecord {
        id: text(&record["messageId"]),
        body: text(&record["body"]),
        receives: text(&record["attributes"]["ApproximateReceiveCount"]),
    }
}

/// A running mapping from the queue `work` to the function.
struct Harness {
    queues: Arc<Queues>,
    function: Arc<Function>,
    shutdown: watch::Sender<bool>,
    run: JoinHandle<()>,
}

fn mapping() -> EventSourceMapping {
    EventSourceMapping {
        function: "Notifier".to_owned(),
        queue: queue().arn,
        batch_size: 10,
        window: Duration::ZERO,
        maximum_concurrency: None,
        report_batch_item_failures: true,
    }
}

/// Starts a mapping after these bodies were sent.
fn start<F>(
    mapping: EventSourceMapping,
    bodies: &[&str],
    behaviour: impl Fn(Vec<SeenRecord>) -> F + Send + Sync + 'static,
) -> Harness
where
    F: Future<Output = Invocation> + Send + 'static,
{
    let definitions = [queue_with_dead_letters(2), dead_letter_queue()];
    let queues =
        Arc::new(Queues::new(&definitions, Activity::default()).expect("valid definitions"));
    let function = Arc::new(Function {
        behaviour: Box::new(move |records| Box::pin(behaviour(records))),
        batches: Mutex::default(),
    });
    for body in bodies {
        send(&queues, body);
    }
    let lambda = Arc::clone(&function) as Arc<dyn Invoke>;
    let mapping = Mapping::new(mapping, Arc::clone(&queues), lambda, "us-east-1".to_owned())
        .expect("a known queue");
    let (shutdown, signal) = watch::channel(false);
    let run = tokio::spawn(mapping.run(signal));
    Harness {
        queues,
        function,
        shutdown,
        run,
    }
}

fn send(queues: &Queues, body: &str) {
    queues
        .send(&queue().arn, body.to_owned(), BTreeMap::new(), None)
        .expect("a valid message");
}

impl Harness {
    /// Lets paused time elapse until the condition is true.
    async fn until(&self, condition: impl Fn(&Self) -> bool) {
        for _ in 0..100_000 {
            if condition(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!(
            "the condition was never true; the function received {:?}",
            self.batches()
        );
    }

    fn batches(&self) -> Vec<Vec<SeenRecord>> {
        self.function.batches.lock().expect("no panic").clone()
    }

    /// Returns the bodies and receive counts of each batch.
    fn bodies(&self) -> Vec<Vec<(String, String)>> {
        let body = |seen: SeenRecord| (seen.body, seen.receives);
        let batches = self.batches().into_iter();
        batches
            .map(|batch| batch.into_iter().map(body).collect())
            .collect()
    }

    fn left(&self, name: &str) -> usize {
        let queue = self.queues.with_name(name).expect("a known queue");
        self.queues.messages(queue).len()
    }
}

fn batch(records: &[(&str, u32)]) -> Vec<(String, String)> {
    let records = records.iter();
    records
        .map(|(body, receives)| ((*body).to_owned(), receives.to_string()))
        .collect()
}

fn returned(answer: &Value) -> Invocation {
    Invocation::Returned(answer.to_string().into())
}

/// Returns an answer that lists the records with this body as failed.
fn failing(records: &[SeenRecord], body: &str) -> Invocation {
    let failed = records.iter().filter(|seen| seen.body == body);
    let failures = failed.map(|seen| json!({ "itemIdentifier": seen.id }));
    returned(&json!({ "batchItemFailures": failures.collect::<Vec<_>>() }))
}

#[tokio::test(start_paused = true)]
async fn pending_messages_are_processed_together_and_deleted() {
    let harness = start(mapping(), &["a", "b"], async |_| returned(&Value::Null));
    harness.until(|harness| harness.left("work") == 0).await;
    assert_eq!(harness.bodies(), [batch(&[("a", 1), ("b", 1)])]);
    send(&harness.queues, "c");
    harness.until(|harness| harness.left("work") == 0).await;
    assert_eq!(harness.bodies()[1..], [batch(&[("c", 1)])]);
}

#[tokio::test(start_paused = true)]
async fn failed_record_becomes_visible_when_its_visibility_timeout_ends() {
    let harness = start(
        mapping(),
        &["good", "bad"],
        async |records: Vec<SeenRecord>| {
            let first_time = records[0].receives == "1";
            failing(&records, if first_time { "bad" } else { "" })
        },
    );
    let started = harness.queues.clock().now();
    harness.until(|harness| harness.batches().len() == 2).await;
    assert!(harness.queues.clock().now() >= started + VISIBILITY);
    assert_eq!(
        harness.bodies(),
        [batch(&[("good", 1), ("bad", 1)]), batch(&[("bad", 2)])]
    );
    harness.until(|harness| harness.left("work") == 0).await;
    assert_eq!(harness.left("dead"), 0);
}

#[tokio::test(start_paused = true)]
async fn repeatedly_failed_record_goes_to_the_dead_letter_queue() {
    let harness = start(mapping(), &["poison"], async |records: Vec<SeenRecord>| {
        failing(&records, "poison")
    });
    harness.until(|harness| harness.left("dead") == 1).await;
    assert_eq!(harness.left("work"), 0);
    assert_eq!(
        harness.bodies(),
        [batch(&[("poison", 1)]), batch(&[("poison", 2)])]
    );
}

#[tokio::test(start_paused = true)]
async fn function_error_fails_the_whole_batch() {
    let harness = start(mapping(), &["a", "b"], async |_| {
        Invocation::Failed(FunctionError {
            error_type: "Runtime.ExitError".to_owned(),
            error_message: "exit status 1".to_owned(),
        })
    });
    harness.until(|harness| harness.left("dead") == 2).await;
    assert_eq!(harness.batches().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn failures_are_ignored_without_report_batch_item_failures() {
    let without_report = EventSourceMapping {
        report_batch_item_failures: false,
        ..mapping()
    };
    let harness = start(without_report, &["a"], async |records: Vec<SeenRecord>| {
        failing(&records, "a")
    });
    harness.until(|harness| harness.left("work") == 0).await;
    assert_eq!(harness.left("dead"), 0);
    assert_eq!(harness.batches().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn function_slower_than_the_visibility_timeout_receives_a_record_twice() {
    let harness = start(mapping(), &["slow"], async |records: Vec<SeenRecord>| {
        if records[0].receives == "1" {
            tokio::time::sleep(VISIBILITY * 2).await;
        }
        returned(&Value::Null)
    });
    harness.until(|harness| harness.left("work") == 0).await;
    assert_eq!(
        harness.bodies(),
        [batch(&[("slow", 1)]), batch(&[("slow", 2)])]
    );
}

#[tokio::test(start_paused = true)]
async fn failed_record_is_received_after_later_ones() {
    let one_by_one = EventSourceMapping {
        batch_size: 1,
        maximum_concurrency: Some(1),
        ..mapping()
    };
    let harness = start(
        one_by_one,
        &["first", "second"],
        async |records: Vec<SeenRecord>| {
            let fails = records[0].receives == "1";
            failing(&records, if fails { "first" } else { "" })
        },
    );
    harness.until(|harness| harness.left("work") == 0).await;
    assert_eq!(
        harness.bodies(),
        [
            batch(&[("first", 1)]),
            batch(&[("second", 1)]),
            batch(&[("first", 2)])
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn window_gathers_records_until_it_ends_or_the_batch_is_full() {
    let window = Duration::from_secs(5);
    let gathering = EventSourceMapping {
        batch_size: 3,
        window,
        ..mapping()
    };
    let harness = start(gathering, &["a"], async |_| returned(&Value::Null));
    let started = harness.queues.clock().now();
    tokio::time::sleep(Duration::from_secs(2)).await;
    send(&harness.queues, "b");
    harness.until(|harness| harness.left("work") == 0).await;
    assert_eq!(harness.bodies(), [batch(&[("a", 1), ("b", 1)])]);
    assert!(harness.queues.clock().now() >= started + window);

    let full = harness.queues.clock().now();
    for body in ["c", "d", "e"] {
        send(&harness.queues, body);
    }
    harness.until(|harness| harness.left("work") == 0).await;
    assert_eq!(
        harness.bodies()[1..],
        [batch(&[("c", 1), ("d", 1), ("e", 1)])]
    );
    assert!(
        harness.queues.clock().now() < full + window,
        "a full batch waited for the end of the window"
    );
}

#[tokio::test(start_paused = true)]
async fn concurrent_invocations_never_exceed_maximum_concurrency() {
    let narrow = EventSourceMapping {
        batch_size: 1,
        maximum_concurrency: Some(2),
        ..mapping()
    };
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let most_seen = Arc::clone(&most);
    let harness = start(narrow, &["a", "b", "c", "d", "e", "f"], move |_| {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            returned(&Value::Null)
        }
    });
    harness.until(|harness| harness.left("work") == 0).await;
    assert_eq!(most_seen.load(Ordering::SeqCst), 2);
    assert!(
        harness
            .batches()
            .iter()
            .flatten()
            .all(|seen| seen.receives == "1")
    );
}

#[tokio::test(start_paused = true)]
async fn refused_invocation_is_retried_without_another_receive() {
    let refusals = AtomicUsize::new(3);
    let harness = start(mapping(), &["a"], move |_| {
        let left = refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        });
        async move {
            match left {
                Ok(_) => Invocation::Refused("no process available".to_owned()),
                Err(_) => returned(&Value::Null),
            }
        }
    });
    harness.until(|harness| harness.left("work") == 0).await;
    assert_eq!(harness.bodies(), vec![batch(&[("a", 1)]); 4]);
    assert_eq!(harness.left("dead"), 0);
}

#[tokio::test(start_paused = true)]
async fn batch_refused_during_its_visibility_timeout_is_received_again() {
    let harness = start(
        mapping(),
        &["a"],
        async |records: Vec<SeenRecord>| match records[0].receives.as_str() {
            "1" => Invocation::Refused("no process available".to_owned()),
            _ => returned(&Value::Null),
        },
    );
    let started = harness.queues.clock().now();
    harness.until(|harness| harness.left("work") == 0).await;
    assert!(harness.queues.clock().now() >= started + VISIBILITY);
    assert_eq!(harness.bodies().last(), Some(&batch(&[("a", 2)])));
    let invocations = harness.batches().len();
    tokio::time::sleep(VISIBILITY).await;
    assert_eq!(
        harness.batches().len(),
        invocations,
        "the refused batch was still retried"
    );
}

#[tokio::test(start_paused = true)]
async fn event_never_exceeds_six_megabytes() {
    let large = "x".repeat(1 << 20);
    let harness = start(mapping(), &[large.as_str(); 8], async |_| {
        returned(&Value::Null)
    });
    harness.until(|harness| harness.left("work") == 0).await;
    let sizes = harness.batches().iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(sizes, [5, 3]);
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_running_invocations_and_stops_receiving() {
    let harness = start(mapping(), &["a"], async |_| {
        tokio::time::sleep(Duration::from_secs(10)).await;
        returned(&Value::Null)
    });
    harness.until(|harness| harness.batches().len() == 1).await;
    harness.shutdown.send_replace(true);
    tokio::task::yield_now().await;
    send(&harness.queues, "late");
    let Harness {
        queues,
        function,
        run,
        ..
    } = harness;
    run.await.expect("no panic");
    let work = queues.with_name("work").expect("work");
    let left = queues.messages(work);
    assert_eq!(
        left.iter()
            .map(|view| view.content.body.as_str())
            .collect::<Vec<_>>(),
        ["late"]
    );
    assert_eq!(function.batches.lock().expect("no panic").len(), 1);
}

#[test]
fn mapping_from_unknown_queue_is_an_error() {
    let queues = Arc::new(Queues::new(&[], Activity::default()).expect("valid definitions"));
    let function = Arc::new(Function {
        behaviour: Box::new(|_| Box::pin(async { returned(&Value::Null) })),
        batches: Mutex::default(),
    });
    let error = Mapping::new(mapping(), queues, function, String::new())
        .err()
        .expect("an unknown queue");
    let expected = format!(
        "function Notifier has the event source {}, which is not a queue of the template; add the queue or correct the event source",
        queue().arn
    );
    assert_eq!(error.to_string(), expected);
}
