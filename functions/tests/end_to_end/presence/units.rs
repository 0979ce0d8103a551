//! The read and write units that presence consumes, as DynamoDB's engine reckons them, and those of a stack
//! without presence.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_sdk_dynamodb::Client;
use herald_shared::{
    ids::{ConnectionId, EntityId, UserId},
    presence::{
        DynamoDbMemberRows, Flushed, Members, MembersBudget, Presence, ReadPresence, RenewMembers,
    },
    queue::memory::MemoryQueues,
    store::{
        Connection, ConnectionStore, ConnectionTable, Connections, DynamoDbRows, Forget,
        Subscribed, Subscription,
    },
};
use herald_testkit::local_only;

use crate::{harness::TestStack, log_units::Meter};

/// A time far in the future, so that the table's time to live removes nothing.
pub(super) const START: u64 = 4_000_000_000;

pub(super) type Clock = Box<dyn Fn() -> SystemTime + Send + Sync>;
pub(super) type Store = Connections<DynamoDbRows, Members<DynamoDbMemberRows, MemoryQueues, Clock>>;

#[local_only("reads the engine's units")]
#[tokio::test]
async fn presence_consumes_the_units_of_its_cost_table() {
    let stack = TestStack::start().await;
    let meter = Meter::default();
    let clock = Arc::new(AtomicU64::new(START));
    let store = store(&stack, &meter, r#"{"room:**":{}}"#, &clock);
    let plain = self::store(&stack, &meter, "{}", &clock);
    let queue = store.members().queue();
    let consumed = || meter.take();

    // What a subscription to an entity without presence costs, with the same store.
    connect(&plain, "a", "ann").await;
    connect(&plain, "b", "ann").await;
    connect(&plain, "c", "bob").await;
    consumed();
    subscribe(&plain, "a", "ann", "order:1").await;
    let subscribed = consumed();
    unsubscribe(&plain, "a", "ann", "order:1").await;
    let unsubscribed = consumed();
    subscribe(&store, "a", "ann", "order:1").await;
    assert_eq!(
        consumed(),
        subscribed,
        "a subscribe to an entity without presence"
    );
    unsubscribe(&store, "a", "ann", "order:1").await;
    assert_eq!(
        consumed(),
        unsubscribed,
        "an unsubscribe from an entity without presence"
    );
    store
        .renew_members(&id("a"), Some(&user("ann")), None)
        .await
        .unwrap();
    assert_eq!(
        consumed(),
        (1.0, 0.0),
        "a ping of a connection without members"
    );
    plain
        .renew_members(&id("a"), Some(&user("ann")), None)
        .await
        .unwrap();
    assert_eq!(consumed(), (0.0, 0.0), "a ping without presence");
    assert!(queue.take_flushes().is_empty());

    let more = |(reads, writes): (f64, f64)| (reads - subscribed.0, writes - subscribed.1);
    subscribe(&store, "a", "ann", "room:1").await;
    assert_eq!(
        more(consumed()),
        (1.0, 2.0),
        "the first join: the set is read and scheduled"
    );
    subscribe(&store, "c", "bob", "room:1").await;
    assert_eq!(
        more(consumed()),
        (1.0, 1.0),
        "another join before the flush"
    );
    assert_eq!(flush(&store, &clock).await, 2);
    // Begin, commit, the watch, and a mark for each member.
    assert_eq!(consumed(), (1.0, 5.0), "a flush of two joins");

    subscribe(&store, "b", "ann", "room:1").await;
    assert_eq!(
        more(consumed()),
        (1.0, 2.0),
        "a second connection of a user"
    );
    assert_eq!(flush(&store, &clock).await, 0);
    assert_eq!(
        consumed(),
        (1.0, 3.0),
        "a flush that tells nothing: begin, commit, mark"
    );
    subscribe(&store, "b", "ann", "room:1").await;
    assert_eq!(more(consumed()), (0.0, 1.0), "a subscribe again");
    assert!(queue.take_flushes().is_empty());

    let mut budget = MembersBudget::WHOLE;
    let snapshot = store
        .members()
        .snapshot(&entity("room:1"), &mut budget)
        .await;
    assert_eq!(snapshot.unwrap().unwrap().count, 2);
    assert_eq!(
        consumed(),
        (2.0, 0.0),
        "a snapshot: the set and the members"
    );

    store
        .renew_members(&id("a"), Some(&user("ann")), None)
        .await
        .unwrap();
    assert_eq!(consumed(), (1.5, 0.0), "a ping within two minutes");
    clock.fetch_add(150, Ordering::Relaxed);
    store
        .renew_members(&id("a"), Some(&user("ann")), None)
        .await
        .unwrap();
    assert_eq!(consumed(), (1.5, 1.0), "a ping after more");

    let more = |(reads, writes): (f64, f64)| (reads - unsubscribed.0, writes - unsubscribed.1);
    unsubscribe(&store, "c", "bob", "room:1").await;
    assert_eq!(more(consumed()), (1.0, 2.0), "a leave");
    assert_eq!(flush(&store, &clock).await, 1);
    assert_eq!(
        consumed(),
        (1.0, 4.0),
        "a flush of a leave: begin, retire, commit, remove"
    );
    for name in ["a", "b", "c"] {
        store.forget(&id(name)).await.unwrap();
    }
    stack.stop().await;
}

/// Delivers the flush on the queue, and returns how many users its frame names.
pub(super) async fn flush(store: &Store, clock: &AtomicU64) -> usize {
    let members = store.members();
    let flushes = members.queue().take_flushes();
    let [(flush, delay)] = &flushes[..] else {
        panic!("{flushes:?}")
    };
    assert_eq!(delay.as_secs(), 2);
    clock.fetch_add(2, Ordering::Relaxed);
    let flushed = members
        .flush(flush, async |frame| -> Result<usize, std::io::Error> {
            let changed = frame.changed.unwrap();
            Ok(changed.joined.len() + changed.left.len())
        })
        .await;
    // The flush of the first expiry.
    members.queue().take_flushes();
    match flushed.unwrap() {
        Flushed::Posted(named) => named,
        Flushed::Unchanged => 0,
    }
}

pub(super) fn store(
    stack: &TestStack,
    meter: &Meter,
    presence: &str,
    clock: &Arc<AtomicU64>,
) -> Store {
    let config = aws_sdk_dynamodb::config::Builder::from(stack.aws());
    let client = Client::from_conf(config.interceptor(meter.clone()).build());
    let clock = clock.clone();
    let now = move || SystemTime::UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::Relaxed));
    let table = &stack.addresses().table;
    let members = Members::new(
        DynamoDbMemberRows::new(client.clone(), table),
        MemoryQueues::default(),
        Presence::from_json(presence).unwrap(),
        Box::new(now) as Clock,
    );
    ConnectionTable::new(client, table).tracking(members)
}

pub(super) async fn connect(store: &Store, name: &str, of: &str) {
    let connection = Connection {
        id: id(name),
        connected_at: SystemTime::UNIX_EPOCH + Duration::from_secs(START),
        ip_address: None,
        user_agent: None,
        user: Some(user(of)),
        token_expires_at: None,
    };
    store.connect(&connection).await.unwrap();
}

pub(super) async fn subscribe(store: &Store, name: &str, of: &str, to: &str) {
    let subscription = Subscription {
        connection: &id(name),
        connected_at: SystemTime::UNIX_EPOCH + Duration::from_secs(START),
        token_expires_at: None,
        entities: &[entity(to)],
        watched: &[],
        user: Some(&user(of)),
        info: None,
    };
    let subscribed = store.subscribe(subscription, 10).await.unwrap();
    assert_eq!(subscribed, [Subscribed::Stored]);
}

pub(super) async fn unsubscribe(store: &Store, name: &str, of: &str, from: &str) {
    let (connection, user, entity) = (id(name), user(of), entity(from));
    let unsubscribed = store.unsubscribe(&connection, Some(&user), &entity);
    unsubscribed.await.unwrap();
}

fn id(name: &str) -> ConnectionId {
    ConnectionId::new(name).unwrap()
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub(super) fn entity(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}
