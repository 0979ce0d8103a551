//! The order of the store's writes, at every interleaving.
//!
//! Each test is a small world of functions that work on one connection at the same time. A scheduler owns
//! every await between them and the rows: it decides which request is applied next, loses answers, applies
//! writes late, and stops functions between any two requests. It goes through every possible order, and
//! after each step the promises of [`promises`] must hold.
//!
//! The code under test is the store itself ([`Connections`](herald_shared::store::Connections)). Here its
//! rows are in memory; `functions/tests/end_to_end/store_orders.rs` walks through the same worlds over
//! DynamoDB's engine, in random orders.

mod explorer;
mod presence;
mod promises;
mod run;
mod scheduler;
mod worlds;

use worlds::{World, for_each_world, world};

/// Goes through every order in the world. Fails with the order that breaks a promise.
async fn holds(world: World) {
    let states = explorer::explore(&world).await;
    println!("{states} states");
    assert!(states > 20, "only {states} states: the world is empty");
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
