//! The log on DynamoDB's engine: the contract of `shared/tests/continuity`, and random orders of its worlds.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
        ScalarAttributeType,
    },
};
use herald_shared::{log::LogTable, store::memory::MemoryRows};

use crate::harness::TestStack;

#[allow(dead_code, reason = "the tests of herald-shared use all of it")]
#[path = "../../../shared/tests/continuity"]
mod continuity {
    pub(crate) use crate::store_orders::scheduler;

    pub(crate) mod client;
    pub(crate) mod contract;
    pub(crate) mod promises;
    pub(crate) mod run;
    pub(crate) mod scheduled_log;
    #[allow(unused_macros, unused_imports, reason = "it has all worlds")]
    pub(crate) mod worlds;
}

use continuity::{
    contract,
    promises::{broken, broken_at_the_end},
    run::Run,
    worlds,
};

pub(crate) const TABLE: &str = "History";

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

/// Makes the history table, with the keys that the template gives it.
pub(crate) async fn table(stack: &TestStack) -> Client {
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
