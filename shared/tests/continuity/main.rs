//! The log of an audience: its contract, and what its order of steps promises at every interleaving.
//!
//! Each world has a few events, their notifiers, and subscribers. A scheduler owns every await between them
//! and the rows: it decides which request is applied next, stops notifiers between any two requests, loses
//! posts and answers, and lets clients ask what they missed. It goes through every order that there is, and at
//! the end of each the promises of [`promises`] have to hold.
//!
//! The code under test is [`publish`](herald_shared::log::publish),
//! [`subscribe`](herald_shared::log::subscribe) and [`Log::sync`](herald_shared::log::Log::sync), as the functions
//! call them, over rows in memory. The client is a model of the rules in docs/clients.md.
//! `functions/tests/end_to_end/log_contract.rs` runs the contract, and random orders, over DynamoDB's engine.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod client;
mod contract;
mod expiry;
mod explorer;
mod hot_log;
mod promises;
mod run;
mod scheduled_log;
#[allow(dead_code, reason = "the tests of the store's orders use all of it")]
#[path = "../orders/scheduler.rs"]
mod scheduler;
mod subscribing;
mod worlds;

use herald_shared::log::memory::MemoryLog;

use worlds::{World, for_each_world, world};

#[tokio::test]
async fn log_in_memory_keeps_the_contract() {
    contract::keeps_the_contract(&MemoryLog::new()).await;
}

/// Goes through every order in the world, and fails with the order that breaks a promise.
async fn holds(world: World) {
    let states = explorer::explore(&world).await;
    println!("{states} states");
    assert!(states > 100, "only {states} states: the world is empty");
}

macro_rules! tests {
    ($($name:ident: $world:expr;)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $name() {
                holds($world).await;
            }
        )*
    };
}

for_each_world!(tests);

#[tokio::test(start_paused = true)]
async fn random_orders_of_three_events_and_two_subscribers_keep_the_promises() {
    for world in worlds::large() {
        explorer::walk(&world, 500).await;
    }
}
