//! The order of the store's writes with DynamoDB's engine: random walks through the worlds of
//! `shared/tests/orders`, which explores all orders in memory.

use std::sync::atomic::{AtomicU64, Ordering};

use herald_shared::{
    audience::Audience,
    store::{ConnectionTable, Rows},
};
use herald_testkit::local_only;

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
use run::{AudienceKind, Run, connection};
use worlds::{World, for_each_world, world};

/// The number of random orders in each world.
const WALKS: u64 = 20;

#[local_only("takes thousands of requests")]
#[tokio::test]
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

/// Runs one order to its end and returns the number of its steps.
async fn walk(rows: &impl Rows, world: &World, seed: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut run = Run::new(rows, world).await;
    let mut steps = Vec::new();
    while !run.has_ended() {
        let choices = run.choices();
        let choice = choices[random.usize(..choices.len())];
        steps.push(run.describe(choice));
        run.step(choice).await;
        let complaint = broken(&run, &stored(rows).await);
        assert_eq!(
            complaint,
            None,
            "{world:?}, after:\n  {}",
            steps.join("\n  ")
        );
    }
    let complaint = broken_at_the_end(&mut run, &stored(rows).await).await;
    assert_eq!(
        complaint,
        None,
        "{world:?}, after:\n  {}",
        steps.join("\n  ")
    );
    steps.len() as u64
}

/// Removes every row of the connection.
async fn clear(rows: &impl Rows) {
    rows.delete_connection(&connection()).await.unwrap();
    let audiences: Vec<Audience> = AudienceKind::ALL.map(AudienceKind::audience).into();
    rows.delete_listeners(&connection(), &audiences)
        .await
        .unwrap();
}
