//! Snapshots between a change and its flush.

use std::sync::{Arc, atomic::AtomicU64};

use herald_shared::presence::{MembersBudget, ReadPresence};
use herald_testkit::local_only;

use super::units::{START, Store, connect, entity, flush, store, subscribe, unsubscribe};
use crate::{harness::TestStack, log_units::Meter};

/// The users of a snapshot, and its count.
async fn snapshot(store: &Store) -> (Vec<String>, usize) {
    let mut budget = MembersBudget::WHOLE;
    let members = store.members();
    let snapshot = members.snapshot(&entity("room:1"), &mut budget).await;
    let snapshot = snapshot.unwrap().unwrap();
    let users = snapshot.members.unwrap().into_iter();
    let users = users.map(|user| user.user_id.to_string());
    (users.collect(), snapshot.count)
}

#[local_only("has a clock of its own")]
#[tokio::test]
async fn user_who_returns_within_the_interval_is_in_a_snapshot_of_the_meantime() {
    let stack = TestStack::start().await;
    let clock = Arc::new(AtomicU64::new(START));
    let store = store(&stack, &Meter::default(), r#"{"room:**":{}}"#, &clock);
    let both = (vec!["ann".to_owned(), "bob".to_owned()], 2);
    for (connection, user) in [("a", "ann"), ("b", "bob"), ("c", "bob")] {
        connect(&store, connection, user).await;
    }
    subscribe(&store, "a", "ann", "room:1").await;
    subscribe(&store, "b", "bob", "room:1").await;
    assert_eq!(flush(&store, &clock).await, 2);

    unsubscribe(&store, "b", "bob", "room:1").await;
    // No frame will tell a client with this snapshot that bob is back.
    assert_eq!(snapshot(&store).await, both);
    subscribe(&store, "c", "bob", "room:1").await;
    assert_eq!(flush(&store, &clock).await, 0);
    assert_eq!(snapshot(&store).await, both);

    unsubscribe(&store, "c", "bob", "room:1").await;
    assert_eq!(flush(&store, &clock).await, 1);
    assert_eq!(snapshot(&store).await, (vec!["ann".to_owned()], 1));
    stack.stop().await;
}
