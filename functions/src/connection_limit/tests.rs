use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::UNIX_EPOCH,
};

use herald_shared::{
    audience::{LIFETIME, YOUNG},
    store::{Connection, ConnectionStore, memory::MemoryStore},
};

use super::*;

const LIMIT: NonZeroU32 = NonZeroU32::new(5).expect("not zero");

/// Smaller than the limit, so that connections are on several pages.
const PAGE: usize = 2;

/// A gateway with a list of closed connections, which counts the requests.
#[derive(Default)]
struct FakeGateway {
    closed: BTreeSet<ConnectionId>,
    asked: AtomicUsize,
}

impl FindClosed for FakeGateway {
    async fn is_closed(&self, connection: &ConnectionId) -> bool {
        self.asked.fetch_add(1, SeqCst);
        self.closed.contains(connection)
    }
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn id(number: usize) -> ConnectionId {
    ConnectionId::new(format!("c-{number}")).expect("an id")
}

fn ann() -> UserId {
    UserId::new("ann").expect("an id")
}

/// Returns a store with one connection of the user for each age.
async fn store(ages: &[Duration]) -> MemoryStore {
    let store = MemoryStore::new(PAGE);
    for (number, age) in ages.iter().enumerate() {
        let connection = Connection {
            id: id(number),
            connected_at: now() - *age,
            ip_address: None,
            user_agent: None,
            user: Some(ann()),
            token_expires_at: None,
        };
        store.connect(&connection).await.expect("a store");
    }
    store
}

async fn stored(store: &MemoryStore) -> usize {
    let mut range = Some(Range::WHOLE);
    let mut stored = 0;
    while let Some(unread) = range {
        let audience = Audience::User(ann());
        let page = store.read_audience(&audience, &unread).await;
        let page = page.expect("a page");
        stored += page.recipients.len();
        range = page.read_to.map(|read_to| Range {
            first: slot(&read_to),
            after: Some(read_to),
            ..Range::WHOLE
        });
    }
    stored
}

#[tokio::test]
async fn closed_connections_at_the_limit_are_forgotten_and_do_not_count() {
    let old = YOUNG;
    let young = YOUNG - Duration::from_secs(1);
    for (ages, closed, has_room, left, asked) in [
        // Below the limit, the gateway is not asked.
        (vec![old; 4], 4, true, 4, 0),
        // At the limit: all closed, one closed, none closed.
        (vec![old; 5], 5, true, 0, 5),
        (vec![old; 5], 1, true, 4, 5),
        (vec![old; 5], 0, false, 5, 5),
        // Above the limit, as many must be closed as exceed it, and one more.
        (vec![old; 7], 2, false, 5, 7),
        (vec![old; 7], 3, true, 4, 7),
        // A young connection counts, and the gateway is not asked about it.
        (vec![young; 5], 5, false, 5, 0),
        // An expired connection does not count.
        (vec![LIFETIME; 9], 0, true, 9, 0),
        ([vec![LIFETIME; 4], vec![old; 4]].concat(), 0, true, 8, 0),
    ] {
        let store = store(&ages).await;
        let gateway = FakeGateway {
            closed: (0..closed).map(id).collect(),
            ..FakeGateway::default()
        };
        let limit = ConnectionLimit::new(&store, &gateway, LIMIT);
        let case = format!("{ages:?}, {closed} closed");
        assert_eq!(
            limit.has_room(&ann(), now()).await.expect("a store"),
            has_room,
            "{case}"
        );
        assert_eq!(stored(&store).await, left, "{case}");
        assert_eq!(gateway.asked.load(SeqCst), asked, "{case}");
    }
}

#[tokio::test]
async fn gateway_is_not_asked_again_about_a_refused_user_during_the_pause() {
    let store = store(&[YOUNG; 5]).await;
    let gateway = FakeGateway::default();
    let limit = ConnectionLimit::new(&store, &gateway, LIMIT);
    for (after, asked) in [
        (Duration::ZERO, 5),
        (PAUSE / 2, 5),
        (PAUSE, 10),
        (PAUSE * 3 / 2, 10),
    ] {
        let has_room = limit.has_room(&ann(), now() + after).await;
        assert!(!has_room.expect("a store"));
        assert_eq!(gateway.asked.load(SeqCst), asked, "{after:?}");
    }
}

#[tokio::test]
async fn gateway_is_asked_about_at_most_a_hundred_connections() {
    let store = store(&[YOUNG; 3 * ASKED]).await;
    let gateway = FakeGateway::default();
    let many = NonZeroU32::new(300).expect("not zero");
    let limit = ConnectionLimit::new(&store, &gateway, many);
    assert!(!limit.has_room(&ann(), now()).await.expect("a store"));
    assert_eq!(gateway.asked.load(SeqCst), ASKED);
}
