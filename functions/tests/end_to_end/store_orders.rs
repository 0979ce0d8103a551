//! The order of the store's writes over DynamoDB's engine: walks through the worlds of
//! `shared/tests/orders`, which goes through all orders in memory.

use std::sync::atomic::{AtomicU64, Ordering};

use herald_shared::{
    audience::Audience,
    store::{ConnectionTable, Rows},
};

use crate::harness::TestStack;

#[path = "../../../shared/tests/orders/promises.rs"]
mod promises;
#[path = "../../../shared/tests/orders/run.rs"]
mod run;
#[path = "../../../shared/tests/orders/scheduler.rs"]
pub(crate) mod scheduler;
#[path = "../../../shared/tests/orders/worlds.rs"]
mod worlds;

use promises::{broken, broken_at_the_end, stored};
use run::{Met, Run, connection};
use worlds::{World, for_each_world, world};

/// The number of orders that are tried in each world.
const WALKS: u64 = 20;

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "takes thousands of requests")]
async fn random_orders_keep_the_promises_over_the_engine() {
    let stack = TestStack::start().await;
    let client = aws_sdk_dynamodb::Client::new(stack.aws());
    let table = ConnectionTable::new(client, &stack.addresses().table);
    let steps = AtomicU64::new(0);
    for (name, world) in named_worlds() {
        for seed in 0..WALKS {
            let walked = walk(table.rows(), &world, seed).await;
            steps.fetch_add(walked, Ordering::Relaxed);
            clear(table.rows()).await;
        }
        println!("{name}: {WALKS} walks");
    }
    assert!(steps.into_inner() > 2_000);
    stack.stop().await;
}

fn named_worlds() -> Vec<(&'static str, World)> {
    macro_rules! named {
        ($($name:ident: $world:expr;)*) => { vec![$((stringify!($name), $world)),*] };
    }
    for_each_world!(named)
}

/// Takes one order to its end, and returns how many steps it has.
async fn walk(rows: &impl Rows, world: &World, seed: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut run = Run::new(rows, world).await;
    let mut story = Vec::new();
    while !run.has_ended() {
        let choices = run.choices();
        let choice = choices[random.usize(..choices.len())];
        story.push(run.describe(choice));
        run.step(choice).await;
        let complaint = broken(&run, &stored(rows).await);
        assert_eq!(
            complaint,
            None,
            "{world:?}, after:\n  {}",
            story.join("\n  ")
        );
    }
    let complaint = broken_at_the_end(&mut run, &stored(rows).await).await;
    assert_eq!(
        complaint,
        None,
        "{world:?}, after:\n  {}",
        story.join("\n  ")
    );
    story.len() as u64
}

/// Removes every row of the connection.
async fn clear(rows: &impl Rows) {
    rows.delete_connection(&connection()).await.unwrap();
    let audiences: Vec<Audience> = Met::ALL.into_iter().map(Met::audience).collect();
    rows.delete_listeners(&connection(), &audiences)
        .await
        .unwrap();
}
