//! A log that gets more events than its table admits writes.
//!
//! Several notifiers publish batches to one log, and SQS brings back what they could not store. A reader compares
//! its position all the time, and fills the holes that are old enough.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    ops::RangeInclusive,
    sync::Mutex,
    time::{Duration, SystemTime},
};

use futures_util::future::{join, join_all};
use herald_shared::{
    audience::Audience,
    log::{
        Budget, Claim, Claimed, Consistency, Epoch, FILL_AFTER, Head, Log, LogError, LogPolicy,
        LogRow, LogRows, Message, Position, Put, Reach, Recovery, RowPage, Synced,
        memory::MemoryLogRows, publish,
    },
};
use tokio::time::{Instant, sleep};

use super::contract::fixture::{at, entity, frame, head, texts};

/// The writes a second of one partition key, of which one second may be saved.
const LIMIT: u32 = 20;
const EVENTS: usize = 220;
const NOTIFIERS: usize = 10;
const BATCH: usize = 10;
const SDK_ATTEMPTS: i32 = 3;
/// The time between a notifier's receive and its first write.
const LATENCY: Duration = Duration::from_millis(5);

const POLICY: LogPolicy = LogPolicy::Messages {
    messages: 1_000,
    seconds: 600,
};

/// Each event that is given up comes back with another offset, and the reader waits for the first one.
#[tokio::test(start_paused = true)]
async fn throttled_rows_are_retried_and_waste_no_offsets() {
    let impatient = run(Duration::ZERO).await;
    let patient = run(FILL_AFTER).await;
    for (name, outcome) in [("without retries", &impatient), ("with retries", &patient)] {
        println!(
            "{name}: {EVENTS} events at {:.1} a second, {} offsets wasted, {} records given back",
            outcome.rate(),
            outcome.wasted,
            outcome.given_back,
        );
    }
    assert!(impatient.wasted > EVENTS as u64 / 4, "{impatient:?}");
    assert_eq!((patient.wasted, patient.given_back), (0, 0), "{patient:?}");
    assert!(patient.rate() > 0.9 * f64::from(LIMIT), "{patient:?}");
}

/// The result of a run.
#[derive(Debug)]
struct Outcome {
    took: Duration,
    wasted: u64,
    given_back: usize,
}

impl Outcome {
    fn rate(&self) -> f64 {
        EVENTS as f64 / self.took.as_secs_f64()
    }
}

/// Publishes all events, and returns once the reader has every one of them.
async fn run(patience: Duration) -> Outcome {
    fastrand::seed(7);
    let log = Log::over(HotRows::new());
    let queue = Queue::of(EVENTS);
    let notifiers = (0..NOTIFIERS).map(|_| notify(&queue, &log, patience));
    let (read, _) = join(read(&queue, &log), join_all(notifiers)).await;
    assert_eq!(read.len(), EVENTS, "each event once");
    let ids: BTreeSet<_> = read.into_iter().collect();
    assert_eq!(ids, (0..EVENTS).map(event_id).collect());
    let head = head(&log, &audience()).await;
    Outcome {
        took: queue.began.elapsed(),
        wasted: head.expect("a head").top - EVENTS as u64,
        given_back: queue.given_back.get(),
    }
}

fn audience() -> Audience {
    entity("ticker")
}

fn event_id(event: usize) -> String {
    format!("event-{event}")
}

/// The events that wait, each with the time at which it is visible and the number of its receives.
struct Queue {
    began: Instant,
    waiting: RefCell<Vec<(usize, Instant, u32)>>,
    left: Cell<usize>,
    given_back: Cell<usize>,
}

impl Queue {
    fn of(events: usize) -> Self {
        let began = Instant::now();
        Self {
            began,
            waiting: RefCell::new((0..events).map(|event| (event, began, 0)).collect()),
            left: Cell::new(events),
            given_back: Cell::default(),
        }
    }

    fn receive(&self) -> Vec<(usize, u32)> {
        let now = Instant::now();
        let mut waiting = self.waiting.borrow_mut();
        let visible = waiting.extract_if(.., |(_, at, _)| *at <= now);
        let received = visible.take(BATCH);
        received
            .map(|(event, _, receives)| (event, receives + 1))
            .collect()
    }

    /// Hides an event for a time that doubles with its receives, as the notifier does.
    fn release(&self, event: usize, receives: u32) {
        let longest = 2_f64.powi(receives.min(7) as i32);
        let pause = Duration::from_secs_f64((longest * fastrand::f64()).max(1.0));
        let mut waiting = self.waiting.borrow_mut();
        waiting.push((event, Instant::now() + pause, receives));
        self.given_back.set(self.given_back.get() + 1);
    }

    fn now(&self) -> SystemTime {
        at(0) + self.began.elapsed()
    }
}

/// Publishes batches until no event is left.
async fn notify(queue: &Queue, log: &Log<HotRows>, patience: Duration) {
    while queue.left.get() > 0 {
        sleep(LATENCY).await;
        let batch = queue.receive();
        if batch.is_empty() {
            continue;
        }
        let ids: Vec<_> = batch.iter().map(|(event, _)| event_id(*event)).collect();
        let frames: Vec<_> = ids.iter().map(|id| frame(id)).collect();
        let messages = ids.iter().zip(&frames).map(|(event_id, frame)| Message {
            event_id,
            frame,
            version: None,
        });
        let messages: Vec<_> = messages.collect();
        let audience = audience();
        let now = queue.now();
        let published = publish(
            log,
            &audience,
            POLICY,
            &messages,
            now,
            patience,
            async |_| (),
        );
        let stored = match published.await {
            Ok(published) => published.iter().map(Result::is_ok).collect(),
            Err(_) => vec![false; batch.len()],
        };
        for ((event, receives), stored) in batch.into_iter().zip(stored) {
            match stored {
                true => queue.left.set(queue.left.get() - 1),
                false => queue.release(event, receives),
            }
        }
    }
}

/// Reads the log until every event is stored and read, and returns the events in the order of the log.
async fn read(queue: &Queue, log: &Log<HotRows>) -> Vec<String> {
    let (audience, mut position, mut read) = (audience(), Position::START, Vec::new());
    loop {
        let ends = queue.left.get() == 0;
        let mut budget = Budget::REPLY;
        let now = queue.now();
        let synced = log.sync(&audience, POLICY, &position, Reach::Log, &mut budget, now);
        match synced.await {
            Ok(Synced::Current) if ends => return read,
            // A hole that it could not fill.
            Ok(Synced::Current) | Err(LogError::Throttled(_)) => {}
            Err(error) => panic!("{error}"),
            Ok(Synced::Behind(Recovery::Lost(position))) => panic!("lost before {position:?}"),
            Ok(Synced::Behind(Recovery::Recovered(excerpt))) => {
                read.extend(texts(&excerpt.messages));
                position = excerpt.position;
            }
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// Rows in memory of which each partition key admits a number of writes a second.
struct HotRows {
    rows: MemoryLogRows,
    /// The writes that the keys of the head and of the messages still admit.
    heads: Mutex<Bucket>,
    messages: Mutex<Bucket>,
}

struct Bucket {
    writes: f64,
    at: Instant,
}

impl Default for Bucket {
    fn default() -> Self {
        Self {
            writes: f64::from(LIMIT),
            at: Instant::now(),
        }
    }
}

impl Bucket {
    fn admits(&mut self) -> bool {
        let limit = f64::from(LIMIT);
        let refilled = self.writes + self.at.elapsed().as_secs_f64() * limit;
        self.at = Instant::now();
        self.writes = refilled.min(limit);
        let admits = self.writes >= 1.0;
        self.writes -= f64::from(u8::from(admits));
        admits
    }
}

impl HotRows {
    fn new() -> Self {
        Self {
            rows: MemoryLogRows::default(),
            heads: Mutex::default(),
            messages: Mutex::default(),
        }
    }
}

/// Waits until a key admits a write. Gives up after as many attempts as the SDK makes.
async fn admitted(bucket: &Mutex<Bucket>) -> Result<(), LogError> {
    for retry in 0..SDK_ATTEMPTS {
        if bucket.lock().unwrap().admits() {
            return Ok(());
        }
        if retry + 1 < SDK_ATTEMPTS {
            let longest = 2_f64.powi(retry);
            sleep(Duration::from_secs_f64(longest * fastrand::f64())).await;
        }
    }
    Err(LogError::Throttled("too many writes".into()))
}

impl LogRows for HotRows {
    async fn claim(&self, audience: &Audience, claim: Claim<'_>) -> Result<Claimed, LogError> {
        admitted(&self.heads).await?;
        self.rows.claim(audience, claim).await
    }

    async fn replace_head(
        &self,
        audience: &Audience,
        ended: &Epoch,
        head: &Head,
    ) -> Result<bool, LogError> {
        self.rows.replace_head(audience, ended, head).await
    }

    async fn head(
        &self,
        audience: &Audience,
        consistency: Consistency,
    ) -> Result<Option<Head>, LogError> {
        self.rows.head(audience, consistency).await
    }

    async fn put(
        &self,
        audience: &Audience,
        epoch: &Epoch,
        row: &LogRow,
        kept_until: Duration,
    ) -> Result<Put, LogError> {
        admitted(&self.messages).await?;
        self.rows.put(audience, epoch, row, kept_until).await
    }

    async fn rows(
        &self,
        audience: &Audience,
        epoch: &Epoch,
        offsets: RangeInclusive<u64>,
        limit: usize,
    ) -> Result<RowPage, LogError> {
        self.rows.rows(audience, epoch, offsets, limit).await
    }
}
