//! The contract of connection stores, for the store in memory and the one in DynamoDB.

use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    time::{Duration, SystemTime},
};

use herald_shared::{
    audience::{Audience, Range, Recipient, slot},
    ids::{ConnectionId, EntityId, UserId},
    store::{
        Addition, Admitted, Change, Connection, ConnectionStore, ConnectionTable, Forget, Listener,
        MessageRate, Page, ReadAudience, Rows, Subscribed, Subscription, Superseded,
        memory::MemoryStore,
    },
    token_expiry::TokenExpiry,
};
use herald_testkit::local_only;

use crate::harness::TestStack;

const PAGE: usize = 10;

#[local_only("needs no stack")]
#[tokio::test]
async fn memory_store_keeps_the_contract() {
    let store = MemoryStore::new(PAGE);
    keeps_the_contract(&store).await;
    writes_obey_their_conditions(store.rows()).await;
}

#[tokio::test]
async fn dynamodb_store_keeps_the_contract() {
    let stack = TestStack::start().await;
    let client = aws_sdk_dynamodb::Client::new(stack.aws());
    let table = &stack.addresses().table;
    let store = ConnectionTable::new(client, table).with_page_limit(PAGE as i32);
    keeps_the_contract(&store).await;
    writes_obey_their_conditions(store.rows()).await;
    assert!(stack.rows().await.is_empty());
    stack.stop().await;
}

async fn keeps_the_contract(store: &(impl ConnectionStore + ReadAudience + Forget)) {
    connection_is_in_the_audiences_of_everyone_and_its_user(store).await;
    renewal_reaches_every_subscription(store).await;
    subscribing_is_idempotent_and_limited(store).await;
    unknown_connection_is_not_subscribed(store).await;
    large_audience_is_read_in_disjoint_parts(store).await;
    messages_are_charged_up_to_the_rate(store).await;
    forgetting_removes_every_row_and_can_be_repeated(store).await;
}

async fn connection_is_in_the_audiences_of_everyone_and_its_user(
    store: &(impl ConnectionStore + ReadAudience),
) {
    connect(store, "a", Some("ann")).await;
    connect(store, "b", None).await;
    assert_eq!(all(store, &Audience::Everyone).await, ids(["a", "b"]));
    assert_eq!(all(store, &user("ann")).await, ids(["a"]));
    assert_eq!(all(store, &user("ben")).await, ids([]));

    connect(store, "c", Some("ann")).await;
    assert_eq!(all(store, &user("ann")).await, ids(["a", "c"]));
}

async fn subscribing_is_idempotent_and_limited(store: &(impl ConnectionStore + ReadAudience)) {
    for _ in 0..3 {
        assert_eq!(
            subscribe(store, "a", "order-1", 2).await,
            Subscribed::Stored
        );
    }
    assert_eq!(
        subscribe(store, "a", "order-2", 2).await,
        Subscribed::Stored
    );
    assert_eq!(
        subscribe(store, "a", "order-3", 2).await,
        Subscribed::LimitReached
    );
    assert_eq!(
        subscribe(store, "a", "order-1", 2).await,
        Subscribed::Stored
    );
    assert_eq!(
        subscribe(store, "b", "order-1", 2).await,
        Subscribed::Stored
    );
    assert_eq!(all(store, &entity("order-1")).await, ids(["a", "b"]));
    assert_eq!(all(store, &entity("order-3")).await, ids([]));

    for _ in 0..2 {
        let unsubscribed = store
            .unsubscribe(&id("a"), None, &entity_id("order-1"))
            .await;
        unsubscribed.unwrap();
    }
    assert_eq!(all(store, &entity("order-1")).await, ids(["b"]));
    assert_eq!(
        subscribe(store, "a", "order-3", 2).await,
        Subscribed::Stored
    );
    assert_eq!(
        subscribe(store, "a", "order-4", 2).await,
        Subscribed::LimitReached
    );
}

async fn unknown_connection_is_not_subscribed(store: &(impl ConnectionStore + ReadAudience)) {
    assert_eq!(
        subscribe(store, "unknown", "order-9", 2).await,
        Subscribed::ConnectionGone
    );
    assert_eq!(all(store, &entity("order-9")).await, ids([]));
}

async fn large_audience_is_read_in_disjoint_parts(store: &(impl ConnectionStore + ReadAudience)) {
    let names: Vec<_> = (0..45).map(|number| format!("many-{number}")).collect();
    for name in &names {
        connect(store, name, None).await;
        subscribe(store, name, "room-1", 1).await;
    }
    let expected: BTreeSet<_> = names.iter().map(|name| id(name)).collect();
    assert_eq!(all(store, &entity("room-1")).await, expected);
    let first = store.read_audience(&entity("room-1"), &Range::WHOLE).await;
    assert_eq!(first.unwrap().recipients.len(), PAGE);

    let half = |first, last| Range {
        first,
        last,
        after: None,
    };
    let lower = read(store, &entity("room-1"), half(0, 127)).await;
    let upper = read(store, &entity("room-1"), half(128, 255)).await;
    assert!(lower.len() > PAGE && upper.len() > PAGE);
    assert!(lower.is_disjoint(&upper));
    assert_eq!(
        lower.union(&upper).cloned().collect::<BTreeSet<_>>(),
        expected
    );
}

async fn renewal_reaches_every_subscription(store: &(impl ConnectionStore + ReadAudience)) {
    let expiry = TokenExpiry::from_epoch_seconds;
    let connection = Connection {
        token_expires_at: Some(expiry(1_000)),
        ..connection("renewed", Some("eve"))
    };
    store.connect(&connection).await.unwrap();
    subscribe_until(store, "renewed", "door-1", Some(expiry(1_000))).await;
    let audiences = [Audience::Everyone, user("eve"), entity("door-1")];
    for audience in &audiences {
        assert_eq!(
            expiry_in(store, audience, "renewed").await,
            Some(expiry(1_000))
        );
    }

    assert!(store.renew(&id("renewed"), expiry(2_000)).await.unwrap());
    for audience in &audiences {
        assert_eq!(
            expiry_in(store, audience, "renewed").await,
            Some(expiry(2_000))
        );
    }
    // This subscribe still has the token that the connection was opened with.
    subscribe_until(store, "renewed", "door-2", Some(expiry(1_000))).await;
    assert_eq!(
        expiry_in(store, &entity("door-2"), "renewed").await,
        Some(expiry(2_000))
    );
    assert!(!store.renew(&id("unknown"), expiry(2_000)).await.unwrap());
    assert_eq!(expiry_in(store, &Audience::Everyone, "unknown").await, None);
}

async fn messages_are_charged_up_to_the_rate(store: &impl ConnectionStore) {
    connect(store, "talker", None).await;
    let rate = MessageRate {
        per_second: NonZeroU32::new(10).unwrap(),
        burst: NonZeroU32::new(20).unwrap(),
    };
    let start = SystemTime::now();
    for (millis, messages, expected) in [
        (0, 20, true),
        (0, 1, false),
        (100, 1, true),
        (100, 1, false),
        (600, 5, true),
        (600, 1, false),
        // A pause earns no more than a burst.
        (60_000, 15, true),
        (60_000, 6, false),
        (60_000, 5, true),
        (60_000, 1, false),
    ] {
        let now = start + Duration::from_millis(millis);
        let messages = NonZeroU32::new(messages).unwrap();
        let admitted = store
            .admit(&id("talker"), messages, rate, now)
            .await
            .unwrap();
        let expected = match expected {
            true => Admitted::Admitted {
                token_expires_at: None,
            },
            false => Admitted::TooFast,
        };
        assert_eq!(admitted, expected, "{messages} after {millis} ms");
    }
    let unknown = store
        .admit(&id("unknown"), NonZeroU32::MIN, rate, start)
        .await;
    assert_eq!(unknown.unwrap(), Admitted::ConnectionGone);
}

async fn forgetting_removes_every_row_and_can_be_repeated(
    store: &(impl ConnectionStore + ReadAudience + Forget),
) {
    for connection in all(store, &Audience::Everyone).await {
        for _ in 0..2 {
            store.forget(&connection).await.unwrap();
        }
    }
    for audience in [
        Audience::Everyone,
        user("ann"),
        entity("order-1"),
        entity("room-1"),
    ] {
        assert_eq!(all(store, &audience).await, ids([]), "{audience:?}");
    }
}

/// The conditions of single writes, which the order of the store's writes relies on.
async fn writes_obey_their_conditions(rows: &impl Rows) {
    rows.put_connection(&connection("rows", Some("zoe")))
        .await
        .unwrap();
    set_changes_only_if_its_condition_holds(rows).await;
    repeated_connect_changes_nothing(rows).await;
    older_listener_row_never_replaces_a_newer_one(rows).await;
    let stored = rows.delete_connection(&id("rows")).await.unwrap().unwrap();
    assert_eq!(stored.user, Some(user_id("zoe")));
    assert_eq!(rows.delete_connection(&id("rows")).await.unwrap(), None);
    let gone = rows.remove_entity(&id("rows"), &entity_id("a")).await;
    assert_eq!(gone.unwrap(), Change::ConnectionGone);
    rows.delete_listeners(&id("rows"), &[user("zoe"), Audience::Everyone])
        .await
        .unwrap();
}

async fn set_changes_only_if_its_condition_holds(rows: &impl Rows) {
    let add = async |known: &[&str], fresh: &[&str], room, bytes_room| {
        let ids = |names: &[&str]| names.iter().map(|name| entity_id(name)).collect::<Vec<_>>();
        let (known, fresh) = (ids(known), ids(fresh));
        let addition = Addition {
            known: &known,
            fresh: &fresh,
            room,
            bytes_room,
        };
        match rows.add_entities(&id("rows"), addition).await.unwrap() {
            Change::Made(number) => Ok(number),
            Change::Refused(stored) => Err(stored.entities),
            Change::ConnectionGone => panic!("the connection is stored"),
        }
    };
    let set = |names: &[&str]| names.iter().map(|name| entity_id(name)).collect();
    assert_eq!(add(&[], &["aa", "bb"], 0, 0).await, Ok(1));
    // The set has no room for another entity, by number or by bytes, but known entities still fit.
    assert_eq!(add(&[], &["cc"], 1, 100).await, Err(set(&["aa", "bb"])));
    assert_eq!(add(&[], &["cc"], 9, 3).await, Err(set(&["aa", "bb"])));
    assert_eq!(add(&["aa"], &[], 0, 0).await, Ok(2));
    // The set must meet the condition of the addition.
    assert_eq!(add(&["cc"], &[], 9, 100).await, Err(set(&["aa", "bb"])));
    assert_eq!(add(&[], &["aa"], 9, 100).await, Err(set(&["aa", "bb"])));
    assert_eq!(add(&["bb"], &["cc"], 2, 4).await, Ok(3));
    let removed = rows.remove_entity(&id("rows"), &entity_id("aa")).await;
    assert_eq!(removed.unwrap(), Change::Made(4));
    let refused = rows.remove_entity(&id("rows"), &entity_id("aa")).await;
    assert!(matches!(refused.unwrap(), Change::Refused(stored) if stored.changes == 4));
    // A removed entity no longer counts.
    assert_eq!(add(&[], &["dd"], 2, 4).await, Ok(5));
    let hundred: Vec<_> = (0..100).map(|number| format!("e-{number}")).collect();
    let hundred: Vec<_> = hundred.iter().map(String::as_str).collect();
    assert_eq!(add(&[], &hundred, 3, 6).await, Ok(6));
    assert_eq!(add(&hundred, &[], 0, 0).await, Ok(7));
}

async fn repeated_connect_changes_nothing(rows: &impl Rows) {
    let before = rows.connection(&id("rows")).await.unwrap();
    rows.put_connection(&connection("rows", Some("zoe")))
        .await
        .unwrap();
    assert_eq!(rows.connection(&id("rows")).await.unwrap(), before);
}

async fn older_listener_row_never_replaces_a_newer_one(rows: &impl Rows) {
    let (connection, entity) = (id("rows"), entity_id("door-9"));
    let put = async |change, expiry| {
        let listener = Listener {
            connection: &connection,
            entity: &entity,
            change,
            connected_at: SystemTime::now(),
            token_expires_at: Some(TokenExpiry::from_epoch_seconds(expiry)),
            watches: false,
        };
        rows.put_listener(listener).await.unwrap();
    };
    let delete = async |superseded| {
        rows.delete_listener(&connection, &entity, superseded)
            .await
            .unwrap();
    };
    let audience = Audience::Entity(entity.clone());
    let expiry = async || {
        let range = Range {
            first: slot(&connection),
            last: slot(&connection),
            after: None,
        };
        let page = rows.listeners(&audience, &range).await.unwrap();
        page.recipients.first().map(|recipient| {
            let expiry = recipient.token_expires_at.unwrap();
            expiry.epoch_seconds()
        })
    };
    put(5, 50).await;
    put(4, 40).await;
    assert_eq!(expiry().await, Some(50));
    put(6, 60).await;
    assert_eq!(expiry().await, Some(60));
    for kept in [Superseded::By(5), Superseded::By(7), Superseded::Below(6)] {
        delete(kept).await;
        assert_eq!(expiry().await, Some(60), "{kept:?}");
    }
    for superseded in [Superseded::By(6), Superseded::Below(7), Superseded::Always] {
        put(6, 60).await;
        delete(superseded).await;
        assert_eq!(expiry().await, None, "{superseded:?}");
    }
}

async fn connect(store: &impl ConnectionStore, name: &str, user: Option<&str>) {
    store.connect(&connection(name, user)).await.unwrap();
}

fn connection(name: &str, user: Option<&str>) -> Connection {
    Connection {
        id: id(name),
        connected_at: SystemTime::now(),
        ip_address: Some("127.0.0.1".to_owned()),
        user_agent: None,
        user: user.map(user_id),
        token_expires_at: None,
    }
}

async fn subscribe(
    store: &impl ConnectionStore,
    name: &str,
    entity: &str,
    limit: u32,
) -> Subscribed {
    let subscription = Subscription {
        connection: &id(name),
        connected_at: SystemTime::now() - Duration::from_secs(60),
        token_expires_at: None,
        entities: &[entity_id(entity)],
        watched: &[],
        user: None,
        info: None,
    };
    store.subscribe(subscription, limit).await.unwrap()[0]
}

async fn subscribe_until(
    store: &impl ConnectionStore,
    name: &str,
    entity: &str,
    token_expires_at: Option<TokenExpiry>,
) {
    let subscription = Subscription {
        connection: &id(name),
        connected_at: SystemTime::now(),
        token_expires_at,
        entities: &[entity_id(entity)],
        watched: &[],
        user: None,
        info: None,
    };
    let subscribed = store.subscribe(subscription, 10).await.unwrap();
    assert_eq!(subscribed, [Subscribed::Stored]);
}

/// Returns the end of a connection's token in an audience.
async fn expiry_in(
    store: &impl ReadAudience,
    audience: &Audience,
    name: &str,
) -> Option<TokenExpiry> {
    let page = store.read_audience(audience, &Range::WHOLE).await.unwrap();
    assert!(page.recipients.len() <= PAGE);
    let mut recipients = page.recipients.into_iter();
    let recipient = recipients.find(|recipient| recipient.connection == id(name))?;
    recipient.token_expires_at
}

/// Returns all of an audience.
async fn all(store: &impl ReadAudience, audience: &Audience) -> BTreeSet<ConnectionId> {
    read(store, audience, Range::WHOLE).await
}

/// Returns a range of an audience, read like by delivery: the part beyond a page as ranges of its own.
/// No connection may be in two of them.
async fn read(
    store: &impl ReadAudience,
    audience: &Audience,
    range: Range,
) -> BTreeSet<ConnectionId> {
    let mut found = BTreeSet::new();
    let mut ranges = vec![range];
    while let Some(range) = ranges.pop() {
        let Page {
            recipients,
            read_to,
        } = store.read_audience(audience, &range).await.unwrap();
        assert!(recipients.len() <= PAGE);
        for Recipient { connection, .. } in recipients {
            assert!(found.insert(connection.clone()), "{connection} twice");
        }
        ranges.extend(read_to.iter().flat_map(|read_to| range.rest(read_to)));
    }
    found
}

fn id(name: &str) -> ConnectionId {
    ConnectionId::new(name).unwrap()
}

fn ids<const N: usize>(names: [&str; N]) -> BTreeSet<ConnectionId> {
    names.into_iter().map(id).collect()
}

fn entity_id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

fn entity(name: &str) -> Audience {
    Audience::Entity(entity_id(name))
}

fn user_id(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn user(name: &str) -> Audience {
    Audience::User(user_id(name))
}
