//! A `herald-local` with a data file that is killed and started again, while a client holds positions.
//!
//! Tables are in the file. Queues are in memory, so a message that is not in its log yet is lost with them, as
//! it cannot be on AWS: the log decides what the client must have.

use std::{ops::Range, sync::Arc, time::Duration};

use aws_sdk_eventbridge::{Client as EventBridge, types::PutEventsRequestEntry};
use herald_client::{Client, EntityId, History, Next, Options, Position, Subscription};
use herald_testkit::{in_time, sdk_config};
use rustix::process::Signal;
use serde_json::json;
use tokio::sync::Notify;

use crate::command_line::harness::Stack;

const ENTITY: &str = "room";

/// Room for every message of the test.
const HISTORY: &str = r#"History={"**":{"messages":5000,"seconds":3600}}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_of_killed_runs_has_every_message_of_the_log_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("herald.db");
    let data = ["--data", data.to_str().unwrap()];
    let first = start(&data, "0").await;
    let port = first.port();
    let options = Options::new().back_off(Duration::from_millis(100), Duration::from_secs(1));
    let client = Client::connect(first.address("webSocket"), options).await;
    let client = client.unwrap();
    let mut room = client.subscribe(entity()).await.unwrap();

    let mut received = Received::default();
    put(&first, 0..5).await;
    received.until(&mut room, 0..5).await;
    // The run is killed while it has messages in every step.
    let (bus, is_busy) = (bus(&first), Arc::new(Notify::new()));
    let putting = tokio::spawn({
        let is_busy = is_busy.clone();
        async move {
            for message in 5..1_000 {
                if message == 20 {
                    is_busy.notify_one();
                }
                if !try_put(&bus, message).await {
                    return;
                }
            }
        }
    });
    in_time("the run is busy", is_busy.notified()).await;
    first.run.end_with(Signal::KILL).await;
    putting.await.unwrap();
    let second = start(&data, &port).await;
    put(&second, 1_000..1_005).await;
    received.until(&mut room, 1_000..1_005).await;

    // The client is away when the next run has its first messages.
    second.run.end_with(Signal::KILL).await;
    let third = start(&data, &port).await;
    put(&third, 1_005..1_010).await;
    received.until(&mut room, 1_005..1_010).await;
    assert_eq!(received.0, log(&client).await);

    // A run on another file, here none, has other logs.
    third.run.end_with(Signal::KILL).await;
    let other = start(&[], &port).await;
    let lost = in_time("the loss is told", room.next_event()).await;
    assert!(matches!(lost, Ok(Next::Lost(_))), "{lost:?}");
    put(&other, 2_000..2_001).await;
    let mut received = Received::default();
    received.until(&mut room, 2_000..2_001).await;
    assert_eq!(received.0, [(1, 2_000)]);
    other.run.end_with(Signal::TERM).await;
}

async fn start(data: &[&str], port: &str) -> Stack {
    let arguments = ["--port", port, "--parameter", HISTORY];
    Stack::start_with_functions(&[data, &arguments].concat()).await
}

fn entity() -> EntityId {
    EntityId::new(ENTITY).unwrap()
}

/// The offset and the number of each message that the client got, in order.
#[derive(Debug, Default)]
struct Received(Vec<(u64, u64)>);

impl Received {
    /// Receives until these messages are there. A loss fails the test.
    async fn until(&mut self, room: &mut Subscription, messages: Range<u64>) {
        let has = |received: &[(u64, u64)], message| received.iter().any(|(_, it)| *it == message);
        while !messages.clone().all(|message| has(&self.0, message)) {
            let next = in_time("a push arrived", room.next_event()).await;
            let Next::Message(push) = next.unwrap() else {
                panic!("a loss after {:?}", self.0.last());
            };
            let offset = push.position().unwrap().offset;
            self.0.push((offset, push.message().unwrap()));
        }
    }
}

/// Returns the offset and the number of each message of the log.
async fn log(client: &Client) -> Vec<(u64, u64)> {
    let (mut since, mut read) = (Position::START, Vec::new());
    loop {
        let excerpt = client.history(entity(), History::since(&since)).await;
        let excerpt = excerpt.unwrap();
        let pushes = excerpt.messages.iter();
        read.extend(pushes.map(|push| (push.position().unwrap().offset, push.message().unwrap())));
        since = excerpt.position.unwrap();
        if !excerpt.more {
            return read;
        }
    }
}

async fn put(stack: &Stack, messages: Range<u64>) {
    let bus = bus(stack);
    for message in messages {
        assert!(try_put(&bus, message).await, "{message}");
    }
}

fn bus(stack: &Stack) -> EventBridge {
    EventBridge::new(&sdk_config(stack.address("endpoint")))
}

/// Puts an event on the bus. Returns false if the run has ended.
async fn try_put(bus: &EventBridge, message: u64) -> bool {
    let detail = json!({"entityId": ENTITY, "message": message}).to_string();
    let entry = PutEventsRequestEntry::builder()
        .source("test")
        .detail_type("Entity Updated")
        .detail(detail);
    let put = bus.put_events().entries(entry.build()).send().await;
    put.is_ok_and(|put| put.failed_entry_count() == 0)
}
