//! Continuity of Herald's own clients under faults: many clients, of which half may be JavaScript, while sockets
//! are dropped, notifiers die between their steps, posts are late, fail or never arrive, and the queue repeats and
//! reorders. Every client has every message of its entities once and in the order of the log, or was told of a loss
//! that the log confirms.
//!
//! Run it with `cargo test -p herald-functions --test end_to_end own_clients -- --ignored`. By default it has 20 Rust clients
//! and 5 seconds of events. `HERALD_MIXED_CLIENTS=60` sets the number of
//! clients, at least 6, of which half are then JavaScript in one process of Node.js (after `npm ci` in `web`);
//! `HERALD_MIXED_FOR=10` sets the seconds. A run must end before the rows of its logs expire, after an hour.
//! `--nocapture` shows the table of what happened.

mod javascript;
mod proxy;
mod record;
mod rust;

use std::{
    collections::BTreeMap,
    env,
    sync::atomic::Ordering::SeqCst,
    time::{Duration, Instant},
};

use fastrand::Rng;
use herald_local::{
    faults::{DiesAfter, Step},
    gateway,
};
use herald_testkit::patience;
use serde::Serialize;
use tokio::{
    sync::mpsc,
    time::{interval, sleep},
};

use crate::{
    continuity_faults::{
        BRIEF, Truth, assert_nothing_is_missing, drain, pass_time, put_all, start_with, truth,
    },
    harness::{TestStack, until},
};
use proxy::Proxy;
use record::{Line, Log, Record, Records};

const EVENTS_PER_SECOND: usize = 42;
const MESSAGES_PER_CLIENT: usize = 10;
const HIDDEN: f64 = 0.02;
const DROP_EVERY: Duration = Duration::from_millis(300);
const HISTORY: &str =
    r#"{"order:*":{"messages":300,"seconds":3600},"brief:*":{"messages":4,"seconds":3600}}"#;

/// The number of times that a brief log's entity is among those of the events, so that clients lose messages.
const BRIEF_WEIGHT: usize = 5;

/// A client of the run, in Rust or JavaScript.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    client: usize,
    url: String,
    entities: Vec<String>,
    messages: usize,
    /// The time between two messages, in milliseconds.
    every: u64,
    /// The time without a frame after which the client asks `sync`, in milliseconds.
    keep_alive: u64,
}

#[derive(Clone, Copy)]
struct Size {
    clients: usize,
    seconds: usize,
    javascript: bool,
}

impl Size {
    fn from_environment() -> Self {
        let number = |name| env::var(name).ok().map(|value| value.parse().unwrap());
        let clients = number("HERALD_MIXED_CLIENTS");
        Self {
            clients: clients.unwrap_or(20),
            seconds: number("HERALD_MIXED_FOR").unwrap_or(5),
            javascript: clients.is_some(),
        }
    }

    /// Returns the interval of a client in which all clients together do something at this interval, so that
    /// more clients are not more load on the machine.
    fn share_of(self, interval: Duration) -> Duration {
        interval * self.clients as u32
    }

    /// Returns the entities, the last two with brief logs.
    fn entities(self) -> Vec<String> {
        let orders = self.clients / 2 - 2;
        let orders = (0..orders).map(|number| format!("order:{number}"));
        let briefs = (0..2).map(|number| format!("brief:{number}"));
        orders.chain(briefs).collect()
    }

    fn plans(self, url: &str) -> Vec<Plan> {
        let entities = self.entities();
        let of = |client: usize| {
            let third = entities.len() / 3;
            let own = (0..3).map(|nth| (client + nth * third) % entities.len());
            own.map(|number| entities[number].clone()).collect()
        };
        let plan = |client| Plan {
            client,
            url: url.to_owned(),
            entities: of(client),
            messages: MESSAGES_PER_CLIENT,
            every: (self.seconds * 1000 / MESSAGES_PER_CLIENT) as u64,
            keep_alive: self.share_of(Duration::from_millis(100)).as_millis() as u64,
        };
        (0..self.clients).map(plan).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "up to a minute under load; `cargo test -p herald-functions --test end_to_end own_clients -- --ignored`"]
async fn own_clients_have_every_message_once_in_one_order_or_are_told_the_loss() {
    let size = Size::from_environment();
    let faults = gateway::Faults {
        hidden: HIDDEN,
        failing: 0.02,
        post_delay: Duration::from_millis(5),
        ..Default::default()
    };
    let stack = start_with(HISTORY, faults).await;
    let proxy = Proxy::start(&stack.web_socket()).await;
    let (lines, records) = mpsc::unbounded_channel();
    let plans = size.plans(&proxy.url);
    let (javascript, rust): (Vec<_>, Vec<_>) = plans
        .into_iter()
        .partition(|plan| size.javascript && plan.client % 2 == 1);
    rust.into_iter()
        .for_each(|plan| drop(tokio::spawn(rust::run(plan, lines.clone()))));
    let _node = size
        .javascript
        .then(|| javascript::start(&javascript, lines.clone()));
    let records = Records::collect(size.clients, records);
    tokio::select! {
        () = everything(&stack, &proxy, &records, size) => {}
        () = pass_time(&stack) => unreachable!("time ends with the test"),
    }
    let (truth, failures) = outcome(&stack, &records).await;
    print(&stack, &proxy, &records.all(), &truth, failures.len(), size);
    assert!(failures.is_empty(), "{failures:#?}");
    let records = records.all();
    let acknowledged = records.iter().flat_map(|record| &record.acknowledged);
    let events = EVENTS_PER_SECOND * size.seconds;
    assert_nothing_is_missing(&stack, acknowledged, &truth, events);
    stack.stop().await;
}

/// Puts all events while sockets are dropped, and waits until the queue is empty.
async fn everything(stack: &TestStack, proxy: &Proxy, records: &Records, size: Size) {
    let count = |is: fn(&Record) -> bool| records.all().iter().filter(|&record| is(record)).count();
    until("each client is subscribed", async || {
        count(|record| record.is_subscribed) == size.clients
    })
    .await;
    let mut entities = size.entities();
    let briefs = entities[entities.len() - 2..].to_vec();
    (1..BRIEF_WEIGHT).for_each(|_| entities.extend(briefs.clone()));
    tokio::select! {
        () = put_all(stack, &entities, EVENTS_PER_SECOND, size.seconds) => {}
        () = drop_sockets(proxy, size) => unreachable!("sockets are dropped until the events end"),
    }
    // A death would delay the end by a visibility timeout.
    stack.running().crashes().set(DiesAfter::default());
    drain(stack, || {
        count(|record| record.has_sent_all) == size.clients
    })
    .await;
}

async fn drop_sockets(proxy: &Proxy, size: Size) {
    let mut random = Rng::with_seed(size.clients as u64);
    let mut next = interval(DROP_EVERY);
    loop {
        next.tick().await;
        proxy.drop_one(&mut random);
    }
}

/// Waits until each client has the sequences of the logs. Returns the logs, and the sequences that stay wrong.
async fn outcome(stack: &TestStack, records: &Records) -> (BTreeMap<String, Truth>, Vec<String>) {
    let end = Instant::now() + patience();
    loop {
        let truth = truth(stack).await;
        let failures = failures(&records.all(), &truth);
        if failures.is_empty() || Instant::now() > end {
            return (truth, failures);
        }
        sleep(Duration::from_millis(500)).await;
    }
}

fn failures(records: &[Record], truth: &BTreeMap<String, Truth>) -> Vec<String> {
    let senders = record::senders(records);
    let check = |client: usize, entity: &str, log: &Log| {
        let is_own = |event_id: &str| senders.get(event_id) == Some(&client);
        let outcome = record::check(
            log,
            truth.get(entity).unwrap_or(&BTreeMap::new()),
            is_own,
            entity.starts_with("brief:"),
        );
        outcome
            .err()
            .map(|error| format!("client {client}, {entity}: {error}"))
    };
    let records = records.iter().enumerate();
    records
        .flat_map(|(client, record)| {
            let logs = record.logs.iter();
            logs.filter_map(move |(entity, log)| check(client, entity, log))
        })
        .collect()
}

fn print(
    stack: &TestStack,
    proxy: &Proxy,
    records: &[Record],
    truth: &BTreeMap<String, Truth>,
    silent: usize,
    size: Size,
) {
    let sum = |count: fn(&Record) -> usize| records.iter().map(count).sum::<usize>();
    let rows: Vec<_> = truth.values().flat_map(Truth::values).collect();
    let counts = &proxy.counts;
    let pushes = counts.pushes.load(SeqCst);
    let crashes = stack.running().crashes();
    let killed = Step::ALL.map(|step| crashes.killed_after(step));
    let hidden = (pushes as f64 * HIDDEN / (1.0 - HIDDEN)) as usize;
    let lines = [
        ("clients", size.clients),
        (
            "JavaScript clients",
            if size.javascript { size.clients / 2 } else { 0 },
        ),
        ("entities", size.entities().len()),
        ("events", EVENTS_PER_SECOND * size.seconds),
        (
            "messages acknowledged",
            sum(|record| record.acknowledged.len()),
        ),
        ("messages of unknown outcome", sum(|record| record.unknown)),
        ("delivered to applications", sum(Record::delivered)),
        ("sockets dropped", counts.dropped.load(SeqCst)),
        ("notifiers killed after the counter", killed[0]),
        ("notifiers killed after the row", killed[1]),
        ("notifiers killed after the audience", killed[2]),
        ("notifiers killed after a post", killed[3]),
        ("pushes to sockets", pushes),
        ("posts hidden (2 %), about", hidden),
        ("recoveries", counts.recoveries.load(SeqCst)),
        (
            "gaps, as pushes ahead of their turn",
            counts.gaps.load(SeqCst),
        ),
        ("fills", rows.iter().filter(|row| row.is_none()).count()),
        ("syncs", counts.syncs.load(SeqCst)),
        ("syncs that brought messages", counts.repairs.load(SeqCst)),
        ("lost, and told", sum(Record::losses)),
        ("silent losses and other violations", silent),
    ];
    for (name, count) in lines {
        println!("{name:38}{count:>8}");
    }
}
