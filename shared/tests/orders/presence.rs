//! The order of the writes of presence, at every interleaving.
//!
//! Each test is a small world of functions that change one entity's members, of flushes, and of a watcher
//! that follows the frames as a client does. A scheduler decides which request is applied next, applies
//! writes late, and stops functions between any two requests; a flush that stopped is delivered again. Then
//! time passes without further faults: the open connections send pings, and the queue delivers what is due.
//! At the end the watcher must know exactly the users who are subscribed.

mod explorer;
mod renewing;
mod rows;
mod run;
mod watcher;
mod worlds;

use worlds::{Connection::*, World, world};

/// Goes through every order in the world. Fails with the order that breaks a promise.
async fn holds(world: World) {
    let states = explorer::explore(&world).await;
    println!("{states} states");
    assert!(states > 20, "only {states} states: the world is empty");
}

/// The number of random orders of each larger world, unless `HERALD_PRESENCE_WALKS` has another.
const WALKS: u64 = 2_000;

/// Goes through random orders of a world that has too many. Fails with the order that breaks a promise.
async fn holds_at_random(world: World) {
    let walks = std::env::var("HERALD_PRESENCE_WALKS").ok();
    let walks = walks.and_then(|walks| walks.parse().ok()).unwrap_or(WALKS);
    explorer::wander(&world, walks).await;
}

macro_rules! tests {
    ($($check:ident: $name:ident: $world:expr;)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $name() {
                $check($world).await;
            }
        )*
    };
}

tests! {
    holds: join_beside_its_flush: world().subscribes(Phone).crashes(1);
    holds: leave_beside_its_flush: world().announced(Phone).unsubscribes(Phone).crashes(1);
    holds: disconnect_beside_its_flush: world().announced(Phone).forgets(Phone).crashes(1).quiet();
    holds_at_random: return_beside_the_flush_of_the_leaving:
        world().announced(Phone).left(Phone).subscribes(Phone).quiet();
    holds_at_random: second_connection_beside_the_flush_of_the_leaving:
        world().announced(Phone).left(Phone).subscribes(Laptop).quiet();
    holds_at_random: return_beside_a_flush_that_stops:
        world().announced(Phone).left(Phone).subscribes(Phone).crashes(2).quiet();
    holds_at_random: join_and_leave_beside_a_flush:
        world().subscribes(Phone).unsubscribes(Phone).crashes(1);
    holds_at_random: leave_and_return_beside_flushes:
        world().announced(Phone).unsubscribes(Phone).subscribes(Phone).crashes(1).quiet();
    holds_at_random: disconnect_beside_a_subscribe:
        world().subscribes(Phone).forgets(Phone).crashes(1);
    holds_at_random: reconnect_within_the_interval:
        world().announced(Phone).forgets(Phone).subscribes(Laptop).crashes(1).quiet();
    holds_at_random: two_users_and_two_crashes:
        world().announced(Phone).forgets(Phone).subscribes(Tablet).crashes(2).quiet();
    holds_at_random: everyone_comes_and_goes:
        world()
            .announced(Phone)
            .announced(Tablet)
            .subscribes(Laptop)
            .unsubscribes(Phone)
            .forgets(Tablet)
            .unsubscribes(Laptop)
            .subscribes(Phone)
            .crashes(3)
            .quiet();
    holds_at_random: late_join_beside_a_leave:
        world().subscribes(Phone).unsubscribes(Phone).late_writes(1).quiet();
    holds_at_random: late_join_beside_a_disconnect:
        world().subscribes(Phone).forgets(Phone).late_writes(1);
    holds_at_random: renewal_beside_a_leave:
        world().announced(Phone).stale().renews(Phone).unsubscribes(Phone);
    holds_at_random: renewal_of_an_expired_row_beside_its_flush:
        world().announced(Phone).expired().renews(Phone).crashes(1);
    holds_at_random: expiry_beside_a_reconnect:
        world().announced(Phone).expired().subscribes(Laptop).forgets(Phone).crashes(1).quiet();
}
