//! The log on DynamoDB's engine: the contract of `shared/tests/continuity`, random orders of its worlds, and
//! what each step costs.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use aws_sdk_dynamodb::{
    Client,
    types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
        ScalarAttributeType,
    },
};
use herald_local::dynamodb::Consumption;
use herald_shared::{
    audience::Audience,
    ids::EntityId,
    log::{Budget, LogPolicy, LogTable, Message, Position, Reach, Recovery, Synced, publish},
    store::memory::MemoryRows,
};
use serde_json::value::RawValue;

use crate::harness::TestStack;

#[allow(dead_code, reason = "the tests of herald-shared use all of it")]
#[path = "../../../shared/tests/continuity"]
mod continuity {
    pub(crate) mod client;
    pub(crate) mod contract;
    pub(crate) mod promises;
    pub(crate) mod run;
    pub(crate) mod scheduled_log;
    #[path = "../orders/scheduler.rs"]
    pub(crate) mod scheduler;
    #[allow(unused_macros, unused_imports, reason = "it has all worlds")]
    pub(crate) mod worlds;
}

use continuity::{
    contract,
    promises::{broken, broken_at_the_end},
    run::Run,
    worlds,
};

const TABLE: &str = "History";

/// The number of orders that are tried.
const WALKS: u64 = 150;

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "makes a table")]
async fn log_on_dynamodb_keeps_the_contract() {
    let stack = TestStack::start().await;
    let client = table(&stack).await;
    contract::keeps_the_contract(&LogTable::new(client, TABLE)).await;
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "makes a table, and thousands of requests"
)]
async fn random_orders_keep_the_promises_of_the_log_over_the_engine() {
    let stack = TestStack::start().await;
    let client = table(&stack).await;
    let log = LogTable::new(client.clone(), TABLE);
    let worlds = worlds::large();
    for (seed, world) in (0..WALKS).zip(worlds.iter().cycle()) {
        let listeners = MemoryRows::new(10);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut run = Run::new(&listeners, &log, world).await;
        let mut story = Vec::new();
        let mut complaint = None;
        while complaint.is_none() && !run.has_ended() {
            let choices = run.choices();
            let choice = choices[random.usize(..choices.len())];
            story.push(run.describe(choice));
            run.step(choice).await;
            complaint = broken(&run);
        }
        if complaint.is_none() {
            complaint = broken_at_the_end(&run).await;
        }
        let story = story.join("\n  ");
        assert_eq!(complaint, None, "{world:?}, after:\n  {story}");
        clear(&client).await;
    }
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "asks the local table what it reckons")]
async fn log_consumes_the_units_of_its_cost_table() {
    let stack = TestStack::start().await;
    let log = LogTable::new(table(&stack).await, TABLE);
    let consumed = || units(stack.running().dynamodb().consumption());
    let messages = LogPolicy::Messages {
        messages: 100,
        seconds: 600,
    };
    let audience = entity(&format!("order:{:036}", 1));
    consumed();

    // A frame of 700 bytes, as its row is a kilobyte then. Forty events use every slot of the head.
    for number in 1..=40 {
        send(&log, &audience, messages, &[number], 700).await;
        assert_eq!(consumed(), (0.0, 2.0), "event {number}");
    }
    send(&log, &audience, messages, &[41, 42, 43], 700).await;
    assert_eq!(consumed(), (0.0, 4.0), "three events at once");
    send(&log, &audience, messages, &[44], 2_500).await;
    assert_eq!(consumed(), (0.0, 4.0), "an event of 2.5 KB");
    let last = entity("price:1");
    for number in 1..=12 {
        send(&log, &last, LogPolicy::Last, &[number], 600).await;
        assert_eq!(consumed(), (0.0, 1.0), "event {number} in mode `last`");
    }

    assert_eq!(
        log.position(&entity("order:2")).await.unwrap(),
        Position::START
    );
    assert_eq!(
        consumed(),
        (1.0, 0.0),
        "a subscribe to a log without messages"
    );
    let Position { epoch, offset } = log.position(&audience).await.unwrap();
    assert_eq!((offset, consumed()), (44, (1.0, 0.0)), "a subscribe");
    let since = |offset| Position {
        epoch: epoch.clone(),
        offset,
    };
    for (offset, missed, reads) in [(44, 0, 1.0), (43, 1, 2.0), (40, 4, 3.0), (3, 41, 13.0)] {
        let mut budget = Budget::REPLY;
        let recovery = log.recover(
            &audience,
            messages,
            &since(offset),
            Reach::Log,
            &mut budget,
            now(),
        );
        let Recovery::Recovered(excerpt) = recovery.await.unwrap() else {
            panic!("nothing is lost");
        };
        assert_eq!(excerpt.messages.len(), missed);
        assert_eq!(consumed(), (reads, 0.0), "a recovery of {missed} messages");
    }
    for (offset, is_current, reads) in [(44, true, 0.5), (43, false, 2.5)] {
        let mut budget = Budget::REPLY;
        let synced = log.sync(
            &audience,
            messages,
            &since(offset),
            Reach::Log,
            &mut budget,
            now(),
        );
        let synced = synced.await.unwrap();
        assert_eq!(matches!(synced, Synced::Current), is_current);
        assert_eq!(consumed(), (reads, 0.0), "a sync at {offset}");
    }
    stack.stop().await;
}

/// The read and the write units.
fn units(consumption: Consumption) -> (f64, f64) {
    (consumption.read_units, consumption.write_units)
}

fn entity(id: &str) -> Audience {
    Audience::Entity(EntityId::new(id).unwrap())
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000)
}

/// Publishes events with frames of so many bytes, all at once.
async fn send(
    log: &LogTable,
    audience: &Audience,
    policy: LogPolicy,
    events: &[u32],
    length: usize,
) {
    let text = "x".repeat(length - 13);
    let frame = RawValue::from_string(format!(r#"{{"message":"{text}"}}"#)).unwrap();
    let ids: Vec<_> = events
        .iter()
        .map(|number| format!("6a7e8feb-b491-4cf7-a9f1-{number:012}"))
        .collect();
    let messages: Vec<_> = ids
        .iter()
        .map(|event_id| Message {
            event_id,
            frame: &frame,
            version: None,
        })
        .collect();
    let published = publish(log, audience, policy, &messages, now(), async |_| ());
    for published in published.await.unwrap() {
        published.unwrap();
    }
}

/// Makes the history table, with the keys that the template gives it.
async fn table(stack: &TestStack) -> Client {
    let client = Client::new(stack.aws());
    let mut create = client
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest);
    for (name, key_type) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        let attribute = AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(key_type);
        create = create
            .attribute_definitions(attribute.build().unwrap())
            .key_schema(key.build().unwrap());
    }
    create.send().await.unwrap();
    client
}

/// Removes every row.
async fn clear(client: &Client) {
    let read = client.scan().table_name(TABLE).send().await.unwrap();
    for item in read.items() {
        let key: HashMap<String, AttributeValue> = ["pk", "sk"]
            .map(|name| (name.to_owned(), item[name].clone()))
            .into();
        let delete = client.delete_item().table_name(TABLE);
        delete.set_key(Some(key)).send().await.unwrap();
    }
}
