//! Subscribing to several entities at once.

use std::time::{Duration, SystemTime};

use herald_shared::{
    audience::Audience,
    ids::{ConnectionId, EntityId},
    log::{
        Answer, Excerpt, History, Log, LogRows, Message, Position, Reach, Recovery, Start,
        Subscriber,
        failing::{FailingLogRows, Failure},
        memory::MemoryLog,
        publish, subscribe,
    },
    store::{Connection, ConnectionStore, Subscribed, Subscription, memory::MemoryStore},
};
use serde_json::value::RawValue;

const NAMES: [&str; 4] = ["room:1", "room:2", "cursor:1", "room:3"];

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000)
}

fn history() -> History {
    let json = r#"{"room:*":{"messages":100,"seconds":600}}"#;
    History::from_json(json).unwrap()
}

fn audience(name: &str) -> Audience {
    Audience::Entity(EntityId::new(name).unwrap())
}

/// Publishes messages of so many kilobytes.
async fn publish_to(log: &MemoryLog, name: &str, messages: usize, kilobytes: usize) {
    let policy = history().policy(&audience(name)).unwrap();
    let text = "x".repeat(kilobytes * 1024);
    let frame = RawValue::from_string(format!(r#"{{"text":"{text}"}}"#)).unwrap();
    let ids: Vec<_> = (0..messages).map(|number| number.to_string()).collect();
    let messages: Vec<_> = ids
        .iter()
        .map(|event_id| Message {
            event_id,
            frame: &frame,
            version: None,
        })
        .collect();
    let audience = audience(name);
    let published = publish(log, &audience, policy, &messages, now(), async |_| ());
    published.await.unwrap();
}

/// Subscribes a new connection to all names, at most `limit` of them.
async fn subscribe_to<R: LogRows>(
    log: &Log<R>,
    history: &History,
    starts: &[Start; 4],
    limit: u32,
) -> Vec<Subscriber> {
    let store = MemoryStore::new(10);
    let id = ConnectionId::new("PcQeDRO4gIEm4LQ=").unwrap();
    let connection = Connection {
        id: id.clone(),
        connected_at: now(),
        ip_address: None,
        user_agent: None,
        user: None,
        token_expires_at: None,
    };
    store.connect(&connection).await.unwrap();
    let entities = NAMES.map(|name| EntityId::new(name).unwrap());
    let subscription = Subscription {
        connection: &id,
        connected_at: now(),
        token_expires_at: None,
        entities: &entities,
        watched: &[],
        user: None,
        info: None,
    };
    let subscribers = subscribe(&store, log, history, subscription, limit, starts, now());
    subscribers.await.unwrap()
}

fn excerpt(subscriber: &Subscriber) -> &Excerpt {
    match subscriber.answer.as_ref().unwrap().as_ref().unwrap() {
        Answer::Started(excerpt) | Answer::Recovery(Recovery::Recovered(excerpt)) => excerpt,
        Answer::Recovery(Recovery::Lost(position)) => panic!("lost: {position:?}"),
    }
}

#[tokio::test]
async fn each_entity_with_a_log_has_its_own_answer() {
    let log = MemoryLog::new();
    publish_to(&log, "room:1", 3, 1).await;
    publish_to(&log, "room:2", 3, 1).await;
    let recover = Start::Recover(Position::START, Reach::Log);
    let starts = [Start::Live, recover, Start::Live, Start::Rewind(2)];
    let subscribers = subscribe_to(&log, &history(), &starts, 10).await;
    for subscriber in &subscribers {
        assert_eq!(subscriber.subscribed, Subscribed::Stored);
    }
    assert!(subscribers[2].answer.is_none(), "no pattern matches it");
    let read = [0, 1, 3].map(|index| {
        let excerpt = excerpt(&subscribers[index]);
        (excerpt.messages.len(), excerpt.position.offset)
    });
    assert_eq!(read, [(0, 3), (3, 3), (0, 0)]);
}

#[tokio::test]
async fn entity_without_subscription_has_no_answer() {
    let log = MemoryLog::new();
    let starts = [const { Start::Live }; 4];
    let subscribers = subscribe_to(&log, &history(), &starts, 1).await;
    let answers = subscribers
        .iter()
        .map(|subscriber| (subscriber.subscribed, subscriber.answer.is_some()));
    let refused = (Subscribed::LimitReached, false);
    let expected = [(Subscribed::Stored, true), refused, refused, refused];
    assert!(answers.eq(expected), "{subscribers:?}");
}

#[tokio::test]
async fn entities_share_the_budget_of_the_reply() {
    let log = MemoryLog::new();
    publish_to(&log, "room:1", 3, 40).await;
    publish_to(&log, "room:2", 3, 10).await;
    let recover = || Start::Recover(Position::START, Reach::Log);
    let starts = [recover(), recover(), Start::Live, recover()];
    let subscribers = subscribe_to(&log, &history(), &starts, 10).await;
    let read = [0, 1, 3].map(|index| {
        let excerpt = excerpt(&subscribers[index]);
        (excerpt.messages.len(), excerpt.more, excerpt.top)
    });
    assert_eq!(read, [(2, true, 3), (1, true, 3), (0, false, 0)]);
}

#[tokio::test]
async fn without_history_no_log_is_read() {
    let log = MemoryLog::new();
    let failing = Log::over(FailingLogRows::over(log.rows()));
    failing.rows().fail_after(0, Failure::Throttled);
    let starts = [const { Start::Live }; 4];
    let subscribers = subscribe_to(&failing, &History::off(), &starts, 10).await;
    assert!(
        subscribers
            .iter()
            .all(|subscriber| subscriber.answer.is_none())
    );
    assert!(failing.rows().take_back(), "no request was made");
}

#[tokio::test]
async fn log_that_fails_leaves_the_other_answers() {
    let log = MemoryLog::new();
    let failing = Log::over(FailingLogRows::over(log.rows()));
    failing.rows().fail_after(1, Failure::Throttled);
    let starts = [const { Start::Live }; 4];
    let subscribers = subscribe_to(&failing, &history(), &starts, 10).await;
    let failed = subscribers.iter().filter(|subscriber| {
        let answer = subscriber.answer.as_ref();
        answer.is_some_and(|answer| answer.as_ref().is_err_and(|error| error.is_transient()))
    });
    assert_eq!(failed.count(), 1);
    for subscriber in subscribers {
        assert_eq!(subscriber.subscribed, Subscribed::Stored);
    }
}
