//! Continuity under faults: sockets are dropped, notifiers die between their steps, posts never arrive, and
//! messages are delivered twice and out of order. Every client ends with every message once and in one order,
//! or was told which part it does not have.
//!
//! The default run takes half a minute; `HERALD_CONTINUITY_FAULTS_FOR=120` lets events flow for two
//! minutes. `--nocapture` shows the table of what happened.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    env,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use fastrand::Rng;
use futures_util::future::join_all;
use herald_local::{
    faults::{DiesAfter, Faults, Step},
    gateway, sqs,
};
use herald_shared::push::{Push, Recipients};
use serde_json::json;
use tokio::{
    task::JoinHandle,
    time::{interval, sleep},
};

use crate::{
    continuity_client::{Client, Log, Shared},
    harness::{TestStack, until},
};

const SEED: u64 = 13;
const CLIENTS: usize = 20;
const EVENTS_PER_SECOND: usize = 20;
const MESSAGES_PER_SECOND: usize = 10;

/// The entities, the last two with logs so small that a client which is away loses messages.
const ENTITIES: [&str; 8] = [
    "order:1", "order:2", "order:3", "order:4", "order:5", "order:6", "brief:1", "brief:2",
];
pub const BRIEF: u64 = 4;
const HISTORY: &str =
    r#"{"order:*":{"messages":300,"seconds":600},"brief:*":{"messages":4,"seconds":600}}"#;

/// A log as the table has it: the event id of each offset, `None` where a reader filled a hole.
pub type Truth = BTreeMap<u64, Option<String>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(feature = "deployed", ignore = "needs the local stack's faults")]
async fn every_client_has_every_message_once_in_one_order_or_knows_what_it_lost() {
    let stack = start().await;
    let shared = Arc::new(Shared::default());
    let seconds = seconds();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::spawn(client(&stack, &shared, number, seconds).run()))
        .collect();
    let clients = tokio::select! {
        clients = everything(&stack, &shared, clients, seconds) => clients,
        () = pass_time(&stack) => unreachable!("time ends with the test"),
    };
    let truth = truth(&stack).await;
    print(&stack, &clients, &truth, seconds);
    let counts = clients.iter().map(|client| &client.counts);
    let acknowledged = counts.flat_map(|counts| &counts.acknowledged);
    assert_nothing_is_missing(&stack, acknowledged, &truth, EVENTS_PER_SECOND * seconds);
    assert_dead_letters_of_connections_are_in_a_log(&stack, &truth);
    for client in &clients {
        for (entity, log) in client.logs() {
            assert_sequence(entity, log, &truth[entity]);
        }
    }
    stack.stop().await;
}

/// Returns the time during which events are put.
fn seconds() -> usize {
    let seconds = env::var("HERALD_CONTINUITY_FAULTS_FOR").map(|seconds| seconds.parse().unwrap());
    seconds.unwrap_or(10)
}

async fn start() -> TestStack {
    let hidden = gateway::Faults {
        hidden: 0.02,
        ..Default::default()
    };
    start_with(HISTORY, hidden).await
}

/// Starts a stack with these logs, these faults of the gateway, and a queue that repeats and reorders.
pub async fn start_with(history: &str, gateway: gateway::Faults) -> TestStack {
    let stack = TestStack::try_start_with(|config| {
        let history = ("History".to_owned(), history.to_owned());
        config.parameters.extend([history]);
        config.faults = Faults {
            gateway,
            queues: sqs::Faults {
                duplicates: 0.1,
                shuffle: true,
                ..Default::default()
            },
            ..Faults::default()
        };
    });
    stack.await.unwrap()
}

fn client(stack: &TestStack, shared: &Arc<Shared>, number: usize, seconds: usize) -> Client {
    let messages = MESSAGES_PER_SECOND * seconds / CLIENTS;
    let every = Duration::from_secs(seconds as u64) / messages.max(1) as u32;
    Client::new(
        stack.web_socket(),
        shared.clone(),
        SEED + number as u64,
        // Every other one, so that half of the clients listen to each.
        ENTITIES
            .into_iter()
            .skip(number % 2)
            .step_by(2)
            .map(str::to_owned),
        (messages, every),
    )
}

/// Lets the visibility timeout of the queue pass after each death of a notifier, so that its messages are
/// received again.
pub async fn pass_time(stack: &TestStack) {
    let crashes = stack.running().crashes();
    let mut passed = 0;
    loop {
        sleep(Duration::from_secs(1)).await;
        let killed = Step::ALL
            .map(|step| crashes.killed_after(step))
            .iter()
            .sum();
        if passed < killed {
            passed = killed;
            let clock = stack.running().queues().clock();
            clock.advance(Duration::from_secs(360));
        }
    }
}

/// Puts all events and waits until each client is current.
async fn everything(
    stack: &TestStack,
    shared: &Shared,
    clients: Vec<JoinHandle<Client>>,
    seconds: usize,
) -> Vec<Client> {
    // No client drops its socket before there are many frames.
    until("each client is subscribed", async || {
        shared.subscribes.load(SeqCst) >= CLIENTS
    })
    .await;
    let entities = ENTITIES.map(str::to_owned);
    put_all(stack, &entities, EVENTS_PER_SECOND, seconds).await;
    drain(stack, || shared.done_sending.load(SeqCst) == CLIENTS).await;
    shared.ending.store(true, SeqCst);
    let ended = join_all(clients).await.into_iter();
    ended.map(Result::unwrap).collect()
}

/// Puts events about random entities while notifiers die at each step.
pub async fn put_all(stack: &TestStack, entities: &[String], per_second: usize, seconds: usize) {
    let mut random = Rng::with_seed(SEED);
    let crashes = stack.running().crashes();
    let mut events = 0..per_second * seconds;
    // Each step once for certain, and then by chance.
    for step in Step::ALL {
        crashes.set(DiesAfter::default().with(step, 1.0));
        put(stack, &mut random, entities, events.by_ref().take(3)).await;
        until(&format!("a notifier dies at {step:?}"), async || {
            crashes.killed_after(step) > 0
        })
        .await;
        crashes.set(DiesAfter::default());
    }
    let by_chance = DiesAfter::default()
        .with(Step::Counter, 0.02)
        .with(Step::Row, 0.02)
        .with(Step::Audience, 0.02)
        .with(Step::Post, 0.001);
    crashes.set(by_chance);
    let mut batch = interval(Duration::from_secs(4) / per_second as u32);
    while !events.is_empty() {
        batch.tick().await;
        put(stack, &mut random, entities, events.by_ref().take(4)).await;
    }
}

/// Waits until the senders are done and the queue is empty.
pub async fn drain(stack: &TestStack, is_sent: impl Fn() -> bool) {
    until("all messages are sent and the queue is empty", async || {
        // Retries and redeliveries come sooner.
        sleep(Duration::from_millis(250)).await;
        let clock = stack.running().queues().clock();
        clock.advance(Duration::from_secs(30));
        is_sent() && stack.messages("NotificationQueue").is_empty()
    })
    .await;
}

async fn put(
    stack: &TestStack,
    random: &mut Rng,
    entities: &[String],
    numbers: impl Iterator<Item = usize>,
) {
    let events = numbers.map(|number| {
        let entity = &entities[random.usize(0..entities.len())];
        let key = event_id(number);
        let detail = json!({"entityId": entity, "message": number, "idempotencyKey": key});
        ("Entity Updated".to_owned(), detail)
    });
    stack.put_events(events.collect()).await;
}

fn event_id(number: usize) -> String {
    format!("e-{number}")
}

/// Reads the logs from the table.
pub async fn truth(stack: &TestStack) -> BTreeMap<String, Truth> {
    let table = &stack.running().addresses().tables["HistoryTable"];
    let scan = aws_sdk_dynamodb::Client::new(stack.aws())
        .scan()
        .table_name(table);
    let rows = scan.into_paginator().items().send();
    let rows = rows.collect::<Result<Vec<_>, _>>().await.unwrap();
    let mut truth: BTreeMap<String, Truth> = BTreeMap::new();
    for row in rows {
        let text = |name: &str| row.get(name).and_then(|value| value.as_s().ok());
        // A row is under `R#entity#<entity>#<epoch>`, and each log here has one epoch.
        let Some(key) = text("pk").unwrap().strip_prefix("R#entity#") else {
            continue;
        };
        let (entity, _) = key.rsplit_once('#').unwrap();
        let offset = text("sk").unwrap().parse().unwrap();
        let event_id = text("eventId").cloned();
        let before = truth
            .entry(entity.to_owned())
            .or_default()
            .insert(offset, event_id);
        assert_eq!(before, None, "{entity} has two epochs");
    }
    truth
}

pub fn is_brief(entity: &str) -> bool {
    entity.starts_with("brief:")
}

/// Asserts that each log is complete, and that each message is in one or is a dead letter that was never
/// numbered.
pub fn assert_nothing_is_missing<'a>(
    stack: &TestStack,
    acknowledged: impl Iterator<Item = &'a String>,
    truth: &BTreeMap<String, Truth>,
    events: usize,
) {
    // In a brief log a hole may be left that no client reads any more.
    for (entity, log) in truth.iter().filter(|(entity, _)| !is_brief(entity)) {
        let offsets: Vec<_> = log.keys().copied().collect();
        let expected: Vec<_> = (1..=log.len() as u64).collect();
        assert_eq!(offsets, expected, "{entity}");
    }
    let stored: BTreeSet<_> = truth.values().flat_map(Truth::values).flatten().collect();
    let dead_letters = stack.messages("NotificationDeadLetterQueue");
    for event in (0..events).map(event_id) {
        let quoted = format!("\"{event}\"");
        let mut dead_letters = dead_letters.iter();
        let is_dead = dead_letters.any(|letter| letter.content.body.contains(&quoted));
        assert!(stored.contains(&event) || is_dead, "{event} is nowhere");
    }
    for message in acknowledged {
        assert!(stored.contains(message), "{message} was acknowledged");
    }
}

/// Asserts that each dead letter which names connections has a message that these connections' clients recover.
///
/// The test has many of these letters. A client that drops its young socket leaves a connection that answers
/// 410, and delivery looks again until the connection is 30 s old; then a 410 is final. The test advances
/// the queues' clock and not the connections' age, so here they are still young at the last look.
/// For the same reason a record may become visible while its notifier still works on it; SQS moves one that
/// was received eight times, without a reason, though it may be delivered.
fn assert_dead_letters_of_connections_are_in_a_log(
    stack: &TestStack,
    truth: &BTreeMap<String, Truth>,
) {
    let stored: BTreeSet<_> = truth.values().flat_map(Truth::values).flatten().collect();
    for letter in stack.messages("NotificationDeadLetterQueue") {
        let push = Push::from_queue_body(&letter.content.body).unwrap();
        if let Recipients::Connections { .. } = push.recipients {
            assert!(push.position.is_some(), "{push:?}");
            assert!(stored.contains(&push.event_id), "{push:?}");
        }
    }
}

/// Asserts that the client got the messages of the log in its order, each once, but for those of which it was
/// told that they are lost, and that these were out of its reach.
fn assert_sequence(entity: &str, log: &Log, truth: &Truth) {
    for lost in &log.lost {
        assert!(is_brief(entity), "{entity}: {lost:?}");
        assert!(lost.until - lost.asked > BRIEF, "{entity}: {lost:?}");
    }
    let is_lost = |offset: u64| {
        let mut lost = log.lost.iter();
        lost.any(|lost| (lost.after + 1..=lost.until).contains(&offset))
    };
    let mut seen = HashSet::new();
    let rows = truth.iter().filter(|(offset, _)| !is_lost(**offset));
    let messages = rows.filter_map(|(offset, event_id)| Some((*offset, event_id.clone()?)));
    // An event that took a second offset is delivered once.
    let expected: Vec<_> = messages
        .filter(|(_, event_id)| seen.insert(event_id.clone()))
        .collect();
    assert_eq!(log.delivered, expected, "{entity}");
}

/// Prints what happened.
fn print(stack: &TestStack, clients: &[Client], truth: &BTreeMap<String, Truth>, seconds: usize) {
    let sum = |count: fn(&Client) -> usize| clients.iter().map(count).sum::<usize>();
    let logs = |count: fn(&Log) -> usize| {
        let logs = clients.iter().flat_map(|client| client.logs().values());
        logs.map(count).sum::<usize>()
    };
    let rows: Vec<_> = truth.values().flat_map(Truth::values).collect();
    let stored: Vec<_> = rows.iter().copied().flatten().collect();
    let stored_ids: HashSet<_> = stored.iter().copied().collect();
    let events = (0..EVENTS_PER_SECOND * seconds).map(event_id);
    let unnumbered = events.filter(|event| !stored_ids.contains(event)).count();
    let crashes = stack.running().crashes();
    let mut lines = vec![
        ("events", EVENTS_PER_SECOND * seconds),
        (
            "messages acknowledged",
            sum(|client| client.counts.acknowledged.len()),
        ),
        (
            "messages of unknown outcome",
            sum(|client| client.counts.unknown),
        ),
        ("delivered to clients", logs(|log| log.delivered.len())),
        (
            "sockets dropped",
            sum(|client| client.counts.sockets_dropped),
        ),
    ];
    let killed = [
        "notifiers killed after the counter",
        "notifiers killed after the row",
        "notifiers killed after the audience",
        "notifiers killed after a post",
    ];
    lines.extend(
        killed
            .into_iter()
            .zip(Step::ALL.map(|step| crashes.killed_after(step))),
    );
    lines.extend([
        ("recoveries", sum(|client| client.counts.recoveries)),
        ("gaps", sum(|client| client.counts.gaps)),
        ("syncs", sum(|client| client.counts.syncs)),
        ("fills", rows.len() - stored.len()),
        ("second offsets", stored.len() - stored_ids.len()),
        (
            "repeats dropped by event id",
            sum(|client| client.counts.repeats),
        ),
        ("lost, and told", logs(|log| log.lost.len())),
        ("events that are only dead letters", unnumbered),
        (
            "dead letters",
            stack.messages("NotificationDeadLetterQueue").len(),
        ),
    ]);
    for (name, count) in lines {
        println!("{name:36}{count:>8}");
    }
    for (reason, count) in reasons(stack) {
        println!("  {reason}: {count}");
    }
}

/// Returns the number of dead letters by their reasons.
fn reasons(stack: &TestStack) -> BTreeMap<String, usize> {
    let mut reasons = BTreeMap::new();
    for letter in stack.messages("NotificationDeadLetterQueue") {
        let reason = match letter.content.attributes.get("Reason") {
            Some(reason) => format!("{:?}", reason.value),
            None => "received eight times, moved by SQS".to_owned(),
        };
        *reasons.entry(reason).or_default() += 1;
    }
    reasons
}
