//! Many clients whose sockets are dropped repeatedly while events and messages flow.
//!
//! The default run takes some seconds; `HERALD_CLIENT_FAULTS_FOR=60` makes it a whole minute, with
//! 5000 events.

use std::{
    collections::{BTreeMap, HashMap},
    env,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use herald_client::{Client, ConnectionState, Message, Options, RequestError, Subscription};
use herald_shared::error_chain::error_chain;
use serde_json::json;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    harness::{TestStack, connect, entity, in_time, until},
    proxy::Proxy,
};

const CLIENTS: usize = 200;
const SUBSCRIBERS: usize = 4;
const ENTITIES: usize = CLIENTS / SUBSCRIBERS;
const SENDERS: usize = 20;

/// The number of events in a minute.
const EVENTS_A_MINUTE: f64 = 5000.0;

/// The time before the socket of an open client is dropped again, so that its log has recorded that it is open.
const SETTLED: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_sockets_lose_no_acknowledged_message_and_no_due_event() {
    let time =
        Duration::from_secs_f64(env::var("HERALD_CLIENT_FAULTS_FOR").map_or(8.0, |seconds| {
            seconds
                .parse()
                .expect("HERALD_CLIENT_FAULTS_FOR is a number of seconds")
        }));
    let stack = TestStack::start().await;
    // It reads only after all messages are sent.
    let observer = connect(stack.web_socket(), Options::new().buffer(100_000)).await;
    let mut observer = observer
        .subscribe(entity("log"))
        .await
        .expect("a subscription");
    let subjects = join_all((0..CLIENTS).map(|number| Subject::start(&stack, number))).await;

    let end = Instant::now() + time;
    let (events, cuts, sent) = tokio::join!(
        put_events(
            &stack,
            end,
            (EVENTS_A_MINUTE * time.as_secs_f64() / 60.0) as usize
        ),
        drop_sockets(&subjects, end),
        join_all(
            subjects
                .iter()
                .take(SENDERS)
                .enumerate()
                .map(|(number, subject)| send(number, &subject.client, end))
        ),
    );
    let sent: Vec<_> = sent.into_iter().flatten().collect();

    assert_outcomes(&sent, &mut observer).await;
    // Every client gets this broadcast, after the events before it.
    until("every client is open", || {
        subjects
            .iter()
            .all(|subject| subject.client.state() == ConnectionState::Open)
    })
    .await;
    stack
        .put_event("Broadcast", json!({"message": "the end"}))
        .await;
    until("the last broadcast arrived", || {
        subjects.iter().all(|subject| subject.log().ended)
    })
    .await;
    sleep(longest_lag(&events, &subjects)).await;
    assert_due_events_arrived_once(&events, &subjects);
    println!("{cuts} sockets dropped within {time:?}");

    assert_reconnects_are_spread(&subjects).await;
    stack.stop().await;
}

/// A client with one subscription, behind a proxy that can be cut.
struct Subject {
    client: Client,
    proxy: Proxy,
    entity: usize,
    log: Arc<Mutex<Log>>,
    tasks: [JoinHandle<()>; 3],
}

/// The record of a client: its pushes, its states and its cuts.
#[derive(Default)]
struct Log {
    received: HashMap<usize, Vec<Instant>>,
    states: Vec<(Instant, ConnectionState)>,
    cut_at: Vec<Instant>,
    ended: bool,
}

impl Subject {
    async fn start(stack: &TestStack, number: usize) -> Self {
        let proxy = Proxy::start(stack.address()).await;
        let options = Options::new().stable_after(Duration::from_secs(1));
        let client = connect(&proxy.web_socket(), options).await;
        let subject = number % ENTITIES;
        let subscription = client
            .subscribe(entity(format!("entity-{subject}")))
            .await
            .expect("a subscription");
        let log = Arc::new(Mutex::new(Log {
            states: vec![(Instant::now(), ConnectionState::Open)],
            ..Log::default()
        }));
        let tasks = [
            tokio::spawn(note_pushes(subscription, log.clone())),
            tokio::spawn(note_states(client.clone(), log.clone())),
            tokio::spawn(note_the_end(client.clone(), log.clone())),
        ];
        Self {
            client,
            proxy,
            entity: subject,
            log,
            tasks,
        }
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        lock(&self.log)
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Log {
    /// Returns true if the client has been open for long enough for this log to be up to date.
    fn is_settled(&self) -> bool {
        let Some((since, ConnectionState::Open)) = self.states.last() else {
            return false;
        };
        since.elapsed() > SETTLED && self.cut_at.last().is_none_or(|cut| cut < since)
    }

    /// Returns true if the client was open all the time between two moments.
    fn was_open(&self, from: Instant, until: Instant) -> bool {
        let opened = self.states.iter().rfind(|(at, _)| *at <= from);
        let Some((opened_at, ConnectionState::Open)) = opened else {
            return false;
        };
        self.cut_at
            .iter()
            .all(|cut| cut < opened_at || *cut > until)
    }
}

fn lock(log: &Mutex<Log>) -> std::sync::MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn note_pushes(mut subscription: Subscription, log: Arc<Mutex<Log>>) {
    while let Ok(push) = subscription.recv().await {
        let event = push.message().expect("a number");
        lock(&log)
            .received
            .entry(event)
            .or_default()
            .push(Instant::now());
    }
}

async fn note_states(client: Client, log: Arc<Mutex<Log>>) {
    let mut states = client.states();
    drop(client);
    while states.changed().await.is_ok() {
        let state = states.borrow_and_update().clone();
        lock(&log).states.push((Instant::now(), state));
    }
}

async fn note_the_end(client: Client, log: Arc<Mutex<Log>>) {
    let mut broadcasts = client.broadcasts();
    if broadcasts.recv().await.is_ok() {
        lock(&log).ended = true;
    }
}

/// An event, and the time at which it was put.
struct Event {
    number: usize,
    put_at: Instant,
}

impl Event {
    fn entity(&self) -> usize {
        self.number % ENTITIES
    }
}

async fn put_events(stack: &TestStack, end: Instant, count: usize) -> Vec<Event> {
    let start = Instant::now();
    let pause = (end - start) / (count as u32 / 10).max(1);
    let numbers: Vec<_> = (0..count).collect();
    let mut events = Vec::new();
    for (batch, numbers) in numbers.chunks(10).enumerate() {
        sleep_until(start + pause * batch as u32).await;
        let put_at = Instant::now();
        events.extend(numbers.iter().map(|&number| Event { number, put_at }));
        let detail = |&number: &usize| {
            let entity = format!("entity-{}", number % ENTITIES);
            (
                "Entity Updated",
                json!({"entityId": entity, "message": number}),
            )
        };
        stack.put_events(numbers.iter().map(detail)).await;
    }
    events
}

/// Drops a random socket 25 times a second. Returns the number of dropped sockets.
async fn drop_sockets(subjects: &[Subject], end: Instant) -> usize {
    let mut cuts = 0;
    while Instant::now() < end {
        sleep(Duration::from_millis(40)).await;
        let subject = &subjects[fastrand::usize(..subjects.len())];
        let mut log = subject.log();
        if log.is_settled() {
            log.cut_at.push(Instant::now());
            subject.proxy.cut();
            cuts += 1;
        }
    }
    cuts
}

/// A message and its outcome.
struct Sent {
    text: String,
    safe: bool,
    outcome: Result<Vec<String>, RequestError>,
}

/// Sends a message four times a second, every other one safe to repeat, and waits for all outcomes.
async fn send(sender: usize, client: &Client, end: Instant) -> Vec<Sent> {
    let mut replies = Vec::new();
    for number in 0.. {
        if Instant::now() >= end {
            break;
        }
        let text = format!("{sender}-{number}");
        let safe = number % 2 == 0;
        let message = Message::to_entity(entity("log"), text.as_str());
        let message = if safe {
            message.safe_to_repeat()
        } else {
            message
        };
        let reply = client.send(message);
        replies.push(async move {
            let outcome = in_time("there was an outcome", reply)
                .await
                .map(|reply| reply.event_ids());
            Sent {
                text,
                safe,
                outcome,
            }
        });
        sleep(Duration::from_millis(250)).await;
    }
    join_all(replies).await
}

/// Asserts that every acknowledged message arrives, once unless it was repeated, and that the others have an
/// unknown outcome.
async fn assert_outcomes(sent: &[Sent], observer: &mut Subscription) {
    let acknowledged: Vec<_> = sent
        .iter()
        .filter(|message| message.outcome.is_ok())
        .collect();
    let unknown = sent.len() - acknowledged.len();
    for message in sent {
        match &message.outcome {
            Ok(event_ids) => assert_eq!(event_ids.len(), 1),
            Err(RequestError::OutcomeUnknown) => assert!(!message.safe, "{}", message.text),
            Err(other) => panic!("{}: {}", message.text, error_chain(other)),
        }
    }
    let mut arrived: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let missing = |arrived: &BTreeMap<String, Vec<String>>| {
        acknowledged.iter().any(|message| {
            let ids = arrived.get(&message.text);
            !ids.is_some_and(|ids| {
                ids.contains(&message.outcome.as_ref().expect("acknowledged")[0])
            })
        })
    };
    while missing(&arrived) {
        let push = in_time("every acknowledged message arrived", observer.recv())
            .await
            .expect("a push");
        let id = push.event_id().expect("an id").to_owned();
        arrived
            .entry(push.message().expect("a text"))
            .or_default()
            .push(id);
    }
    for message in sent.iter().filter(|message| !message.safe) {
        let times = arrived.get(&message.text).map_or(0, Vec::len);
        assert!(times <= 1, "{} arrived {times} times", message.text);
    }
    assert!(!acknowledged.is_empty());
    println!(
        "{} messages sent through the outbox, {unknown} of them with an unknown outcome, none lost",
        sent.len()
    );
}

fn longest_lag(events: &[Event], subjects: &[Subject]) -> Duration {
    let lag = |event: &Event| {
        let received = subjects
            .iter()
            .flat_map(|subject| subject.log().received.get(&event.number).cloned());
        received.flatten().map(|at| at - event.put_at).max()
    };
    events.iter().filter_map(lag).max().unwrap_or_default()
}

/// Asserts that every event that was due arrived, and none twice. An event is due if its subscriber was open
/// when it was put, and for twice the longest time that any event took to arrive: one that was sent to a socket
/// that was then dropped may be lost.
fn assert_due_events_arrived_once(events: &[Event], subjects: &[Subject]) {
    let longest_lag = longest_lag(events, subjects);
    let (mut counted, mut pairs) = (0, 0);
    for subject in subjects {
        let log = subject.log();
        for event in events
            .iter()
            .filter(|event| event.entity() == subject.entity)
        {
            let times = log.received.get(&event.number).map_or(0, Vec::len);
            let due = log.was_open(event.put_at, event.put_at + 2 * longest_lag);
            assert!(times <= 1, "event {} arrived {times} times", event.number);
            assert!(times == 1 || !due, "event {} did not arrive", event.number);
            pairs += 1;
            counted += usize::from(due);
        }
    }
    println!(
        "{} events, {pairs} of them times a subscriber, {counted} to one that was connected; the longest took {longest_lag:?}",
        events.len()
    );
    assert!(
        counted * 4 > pairs,
        "only {counted} of {pairs} events were due: this machine is too busy for so many events"
    );
}

/// Drops all sockets at once, and asserts that the clients reconnect spread over the first delay's bound, a
/// second.
async fn assert_reconnects_are_spread(subjects: &[Subject]) {
    until("every client is stable", || {
        subjects.iter().all(|subject| {
            let log = subject.log();
            matches!(log.states.last(), Some((since, ConnectionState::Open)) if since.elapsed() > Duration::from_secs(2))
        })
    })
    .await;
    let cut_at = Instant::now();
    for subject in subjects {
        subject.proxy.cut();
    }
    let returned = |subject: &Subject| {
        let connections = subject.proxy.connected_at();
        connections.into_iter().find(|at| *at > cut_at)
    };
    until("every client reconnected", || {
        subjects.iter().all(|subject| returned(subject).is_some())
    })
    .await;
    // The time of a connection also depends on the load of this machine; the delay does not.
    let delay = |subject: &Subject| {
        let log = subject.log();
        let mut states = log.states.iter().filter(|(at, _)| *at > cut_at);
        states.find_map(|(_, state)| match state {
            ConnectionState::Reconnecting { delay, .. } => *delay,
            _ => None,
        })
    };
    let delays: Vec<_> = subjects.iter().filter_map(delay).collect();
    let mut tenths = [0; 10];
    for delay in &delays {
        tenths[(delay.as_millis() as usize / 100).min(9)] += 1;
    }
    let arrived = subjects.iter().filter_map(returned).map(|at| at - cut_at);
    println!(
        "all {CLIENTS} sockets dropped at once: delays by tenths of a second {tenths:?}, back within {:?}",
        arrived.max().unwrap_or_default()
    );
    assert!(
        delays.len() * 2 > CLIENTS,
        "too few delays were seen: {}",
        delays.len()
    );
    let most = tenths.into_iter().max().unwrap_or_default();
    assert!(
        most * 3 < CLIENTS,
        "{most} of {CLIENTS} chose the same tenth of a second"
    );
}
