//! Changes in memory, put on a bus and a queue that a test scripts.

use std::{
    sync::atomic::Ordering::SeqCst,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use herald_shared::{
    ids::{ConnectionId, EntityId, UserId},
    store::{
        Connection, ConnectionStore, Connections, Forget, Subscribed, Subscription,
        memory::MemoryRows,
    },
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::{
    scripted::{Refusals, ScriptedBus, ScriptedQueue},
    *,
};
use crate::bus::BusEvent;

const ALL: &str = r#"{"$connections":["opened","closed"],"room:**":["subscribed","unsubscribed"]}"#;

type Store = Connections<WatchedRows<MemoryRows>>;
type Scripted<'a> = Announcer<&'a ScriptedBus, &'a ScriptedQueue>;

fn announcer<'a>(policy: &str, bus: &'a ScriptedBus, queue: &'a ScriptedQueue) -> Scripted<'a> {
    Announcer::new(BackendEvents::from_json(policy).expect(policy), bus, queue)
}

fn store(announcer: &Scripted<'_>, end: End) -> Store {
    let user = UserId::new("ann").expect("an id");
    Connections::over(WatchedRows {
        rows: MemoryRows::new(10),
        watch: announcer.watching(Some(user), connected_at(), end),
    })
}

fn connected_at() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(60)
}

fn connection() -> ConnectionId {
    ConnectionId::new("c-1").expect("an id")
}

fn entity(text: &str) -> EntityId {
    EntityId::new(text).expect("an id")
}

async fn connect(store: &Store) {
    let connection = Connection {
        id: connection(),
        connected_at: connected_at(),
        ip_address: None,
        user_agent: None,
        user: Some(UserId::new("ann").expect("an id")),
        token_expires_at: None,
    };
    store.connect(&connection).await.expect("a store in memory");
}

async fn subscribe(store: &Store, entities: &[&str]) {
    let entities: Vec<_> = entities.iter().map(|id| entity(id)).collect();
    let subscription = Subscription {
        connection: &connection(),
        connected_at: connected_at(),
        user: None,
        info: None,
        token_expires_at: None,
        entities: &entities,
        watched: &[],
    };
    let subscribed = store.subscribe(subscription, 1_000).await;
    let subscribed = subscribed.expect("a store in memory");
    assert!(subscribed.iter().all(|one| *one == Subscribed::Stored));
}

async fn unsubscribe(store: &Store, id: &str) {
    let unsubscribed = store.unsubscribe(&connection(), None, &entity(id)).await;
    unsubscribed.expect("a store in memory");
}

async fn forget(store: &Store) {
    let forgotten = store.forget(&connection()).await;
    forgotten.expect("a store in memory");
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(9)
}

/// Returns detail-type and detail of events, without the time.
fn shown(events: &[BusEvent]) -> Vec<(&'static str, Value)> {
    let shown = events.iter().map(|event| {
        let mut detail: Value = serde_json::from_str(&event.detail).expect("JSON");
        let time = detail.as_object_mut().expect("an object").remove("time");
        assert!(time.is_some_and(|time| time.is_string()));
        (event.detail_type, detail)
    });
    shown.collect()
}

#[tokio::test]
async fn each_change_is_one_event_before_the_answer() {
    let (bus, queue) = Default::default();
    let announcer = announcer(ALL, &bus, &queue);
    let end = End::Disconnected {
        status_code: Some(1001),
        reason: Some("Going away".to_owned()),
    };
    let store = store(&announcer, end);
    announcer.after(connect(&store), soon()).await;
    announcer
        .after(subscribe(&store, &["room:1", "other", "room:2"]), soon())
        .await;
    // A repeat changes nothing.
    announcer
        .after(subscribe(&store, &["room:1"]), soon())
        .await;
    for _ in 0..2 {
        announcer.after(unsubscribe(&store, "room:1"), soon()).await;
    }
    for _ in 0..2 {
        announcer.after(forget(&store), soon()).await;
    }

    let of = |id: &str, more: Value| {
        let mut detail = json!({
            "id": id, "connectionId": "c-1", "userId": "ann", "connectedAt": "1970-01-01T00:01:00Z",
        });
        let fields = detail.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        detail
    };
    let gone = json!({"cause": "disconnected", "statusCode": 1001, "reason": "Going away"});
    let mut gone_from = gone.clone();
    gone_from["entityId"] = json!("room:2");
    gone_from["change"] = json!(4);
    let expected = [
        ("Connection Opened", of("opened:c-1", json!({}))),
        (
            "Entity Subscribed",
            of(
                "subscribed:c-1:1:room:1",
                json!({"entityId": "room:1", "change": 1}),
            ),
        ),
        (
            "Entity Subscribed",
            of(
                "subscribed:c-1:1:room:2",
                json!({"entityId": "room:2", "change": 1}),
            ),
        ),
        (
            "Entity Unsubscribed",
            of(
                "unsubscribed:c-1:3:room:1",
                json!({"entityId": "room:1", "change": 3, "cause": "unsubscribed"}),
            ),
        ),
        (
            "Entity Unsubscribed",
            of("unsubscribed:c-1:4:room:2", gone_from),
        ),
        ("Connection Closed", of("closed:c-1", gone)),
    ];
    assert_eq!(shown(&bus.take()), expected);
    assert!(queue.take().is_empty());
}

#[tokio::test]
async fn announcer_that_is_off_watches_nothing_and_calls_nothing() {
    let (bus, queue): (ScriptedBus, ScriptedQueue) = Default::default();
    let off = Scripted::off();
    let store = store(&off, End::Gone);
    connect(&store).await;
    subscribe(&store, &["room:1"]).await;
    off.put(soon()).await;
    let quiet = announcer(r#"{"order:*":["subscribed"]}"#, &bus, &queue);
    let store = self::store(&quiet, End::Gone);
    quiet.after(subscribe_after_connect(&store), soon()).await;
    assert_eq!(bus.calls.load(SeqCst), 0);
}

async fn subscribe_after_connect(store: &Store) {
    connect(store).await;
    subscribe(store, &["room:1"]).await;
}

#[tokio::test]
async fn reason_of_delivery_replaces_only_that_the_connection_is_gone() {
    use herald_shared::delivery::CloseReason;
    for (reason, cause) in [
        (CloseReason::TokenEnded, "tokenEnded"),
        (CloseReason::UserDisconnected, "userDisconnected"),
    ] {
        let (bus, queue) = Default::default();
        let announcer = announcer(ALL, &bus, &queue);
        let store = store(&announcer, End::Gone);
        subscribe_after_connect(&store).await;
        forget(&store).await;
        announcer.explain(&[(connection(), reason)]);
        announcer.put(soon()).await;
        let events = shown(&bus.take());
        let causes: Vec<_> = events.iter().map(|(_, detail)| &detail["cause"]).collect();
        assert_eq!(
            causes,
            [&Value::Null, &Value::Null, &json!(cause), &json!(cause)]
        );
    }
}

#[tokio::test]
async fn change_of_members_is_an_event_with_the_content_of_its_frame() {
    use herald_shared::protocol::{MembersChanged, PresenceFrame, PresentUser, UserLeft};
    let (bus, queue) = Default::default();
    let announcer = announcer(r#"{"room:**":["presence"]}"#, &bus, &queue);
    let user = |id| UserId::new(id).expect("an id");
    let joined = PresentUser {
        user_id: user("ann"),
        connections: 2,
        info: None,
    };
    let left = UserLeft {
        user_id: user("ben"),
    };
    let listed = MembersChanged {
        joined: vec![joined],
        left: vec![left],
    };
    for (entity_id, changed) in [
        ("room:1", Some(listed)),
        ("room:2", None),
        ("order:1", None),
    ] {
        announcer.note_presence(&PresenceFrame {
            entity_id: entity(entity_id),
            version: 7,
            count: 1,
            changed,
        });
    }
    announcer.put(soon()).await;
    let listed = json!({
        "id": "presence:7:room:1", "entityId": "room:1", "version": 7, "count": 1,
        "joined": [{"userId": "ann", "connections": 2}], "left": [{"userId": "ben"}],
    });
    let counted = json!({
        "id": "presence:7:room:2", "entityId": "room:2", "version": 7, "count": 1,
    });
    let expected = [("Presence Changed", listed), ("Presence Changed", counted)];
    assert_eq!(shown(&bus.take()), expected);
}

#[tokio::test(start_paused = true)]
async fn bus_that_accepts_nothing_is_avoided_for_a_while() {
    let (bus, queue): (ScriptedBus, ScriptedQueue) = Default::default();
    let announcer = announcer(ALL, &bus, &queue);
    let store = store(&announcer, End::Gone);
    bus.set_refusals(Refusals::All);
    for entity in ["room:1", "room:2"] {
        announcer
            .after(subscribe_again(&store, entity), soon())
            .await;
    }
    assert_eq!((bus.calls.load(SeqCst), queue.take().len()), (1, 2));
    tokio::time::sleep(Duration::from_secs(11)).await;
    bus.set_refusals(Refusals::None);
    announcer
        .after(subscribe(&store, &["room:3"]), soon())
        .await;
    assert_eq!((bus.take().len(), queue.take().len()), (1, 0));
}

/// Subscribes after a connect, which does nothing if the connection is stored.
async fn subscribe_again(store: &Store, entity: &str) {
    connect(store).await;
    subscribe(store, &[entity]).await;
}

#[tokio::test(start_paused = true)]
async fn bus_that_hangs_leaves_time_for_the_queue() {
    let (bus, queue): (ScriptedBus, ScriptedQueue) = Default::default();
    let announcer = announcer(ALL, &bus, &queue);
    let store = store(&announcer, End::Gone);
    bus.hangs.store(true, SeqCst);
    let start = Instant::now();
    announcer
        .after(subscribe_after_connect(&store), soon())
        .await;
    assert!(
        start.elapsed() <= Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(queue.take().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn cancelled_put_is_made_by_the_next_invocation() {
    let (bus, queue): (ScriptedBus, ScriptedQueue) = Default::default();
    let announcer = announcer(ALL, &bus, &queue);
    let store = store(&announcer, End::Gone);
    bus.hangs.store(true, SeqCst);
    let put = announcer.after(subscribe_after_connect(&store), soon());
    assert!(timeout(Duration::from_secs(1), put).await.is_err());
    bus.hangs.store(false, SeqCst);
    announcer.put(soon()).await;
    assert_eq!(bus.take().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn events_that_neither_accepts_are_kept_up_to_a_limit() {
    let (bus, queue): (ScriptedBus, ScriptedQueue) = Default::default();
    let announcer = announcer(r#"{"room:**":["subscribed"]}"#, &bus, &queue);
    let store = store(&announcer, End::Gone);
    connect(&store).await;
    bus.set_refusals(Refusals::All);
    queue.set_refusals(Refusals::All);
    for number in 0..600 {
        for action in ["a", "b"] {
            let id = format!("room:{action}{number}");
            subscribe(&store, &[&id]).await;
            unsubscribe(&store, &id).await;
        }
    }
    announcer.put(soon()).await;
    bus.set_refusals(Refusals::None);
    queue.set_refusals(Refusals::None);
    announcer.put(soon()).await;
    let put: Vec<_> = queue
        .take()
        .iter()
        .filter_map(|body| from_queue_body(body))
        .flatten()
        .collect();
    assert_eq!(put.len(), 1_000);
    let last = shown(&put[999..]);
    assert_eq!(last[0].1["entityId"], "room:b599");
}

#[test]
fn queue_body_is_read_and_others_are_not() {
    let event = BusEvent {
        detail_type: "Entity Subscribed",
        detail: r#"{"id":"1","entityId":"}]\u0041"}"#.to_owned(),
    };
    let body = event::to_queue_body(&[&event, &event]);
    assert_eq!(from_queue_body(&body), Some(vec![event.clone(), event]));
    for body in [
        "",
        "{}",
        r#"{"push":{}}"#,
        r#"{"backendEvents":1}"#,
        r#"{"backendEvents":[{"detailType":"Entity Updated","detail":{}}]}"#,
    ] {
        assert_eq!(from_queue_body(body), None, "{body}");
    }
}

proptest! {
    /// Whatever the bus and the queue refuse, each event is on one of them in the end, and only once.
    #[test]
    fn no_event_is_lost(
        bus_refuses in vec(any::<bool>(), 0..60),
        queue_refuses in vec(any::<bool>(), 0..10),
        entities in 1_usize..30,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let (bus, queue): (ScriptedBus, ScriptedQueue) = Default::default();
            bus.set_refusals(Refusals::These(bus_refuses));
            queue.set_refusals(Refusals::These(queue_refuses));
            let announcer = announcer(r#"{"room:**":["subscribed"]}"#, &bus, &queue);
            let store = store(&announcer, End::Gone);
            connect(&store).await;
            for number in 0..entities {
                announcer.after(subscribe(&store, &[&format!("room:{number}")]), soon()).await;
            }
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_secs(11)).await;
                announcer.put(soon()).await;
            }
            let queued = queue.take();
            let queued = queued.iter().flat_map(|body| from_queue_body(body).expect("events"));
            let mut all: Vec<_> = bus.take().into_iter().chain(queued).collect();
            prop_assert_eq!(all.len(), entities);
            all.sort_by(|one, other| one.detail.cmp(&other.detail));
            all.dedup();
            prop_assert_eq!(all.len(), entities);
            Ok(())
        })?;
    }
}
