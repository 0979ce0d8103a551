//! Messages, moments and answers for the scenarios.

use std::time::{Duration, SystemTime};

use herald_shared::{
    audience::Audience,
    ids::EntityId,
    log::{
        Budget, Claim, Claimed, ClaimedEvent, Consistency, Epoch, EventTag, Head, Log, LogPolicy,
        LogRows, Message, Position, Published, Reach, Recovery, Retention, Synced, publish,
    },
};
use serde_json::{Value, value::RawValue};

/// A policy of ten messages for ten minutes.
pub const POLICY: LogPolicy = LogPolicy::Messages {
    messages: 10,
    seconds: SECONDS,
};

pub const SECONDS: u64 = 600;

pub fn entity(name: &str) -> Audience {
    Audience::Entity(EntityId::new(name).unwrap())
}

/// So many seconds after the scenario began: far in the future, so that no table's time to live removes
/// its rows.
pub fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + since_epoch(second)
}

pub fn since_epoch(second: u64) -> Duration {
    Duration::from_secs(4_000_000_000 + second)
}

pub fn frame(text: &str) -> Box<RawValue> {
    RawValue::from_string(format!(r#"{{"text":"{text}"}}"#)).unwrap()
}

/// Publishes events whose ids are their texts, all at once, and returns their offsets.
pub async fn publish_at<R: LogRows>(
    log: &Log<R>,
    audience: &Audience,
    policy: LogPolicy,
    ids: &[&str],
    second: u64,
) -> Vec<u64> {
    let frames: Vec<_> = ids.iter().map(|id| frame(id)).collect();
    let messages: Vec<_> = ids
        .iter()
        .zip(&frames)
        .map(|(event_id, frame)| Message {
            event_id,
            frame,
            version: None,
        })
        .collect();
    let published = publish(
        log,
        audience,
        policy,
        &messages,
        at(second),
        Duration::ZERO,
        async |stored| stored.position.offset,
    );
    let offsets = published.await.unwrap().into_iter();
    offsets
        .map(|offset| match offset.unwrap() {
            Published::Delivered(offset) => offset,
            Published::Stale => 0,
        })
        .collect()
}

/// Publishes one event.
pub async fn publish_one<R: LogRows>(
    log: &Log<R>,
    audience: &Audience,
    id: &str,
    second: u64,
) -> u64 {
    publish_at(log, audience, POLICY, &[id], second).await[0]
}

pub async fn head<R: LogRows>(log: &Log<R>, audience: &Audience) -> Option<Head> {
    let head = log.rows().head(audience, Consistency::Strong);
    head.await.unwrap()
}

pub async fn epoch<R: LogRows>(log: &Log<R>, audience: &Audience) -> Epoch {
    head(log, audience).await.unwrap().epoch
}

/// The position at an offset of the present epoch.
pub async fn position<R: LogRows>(log: &Log<R>, audience: &Audience, offset: u64) -> Position {
    Position::after(epoch(log, audience).await, offset)
}

/// An answer of the log: the texts, the offset that was reached, and `top`. `None` if they are lost.
pub type Answered = Option<(Vec<String>, u64, u64)>;

pub fn answered(recovery: Recovery) -> Answered {
    match recovery {
        Recovery::Lost(_) => None,
        Recovery::Recovered(excerpt) => {
            let texts = texts(&excerpt.messages);
            Some((texts, excerpt.position.offset, excerpt.top))
        }
    }
}

pub fn texts(frames: &[Box<RawValue>]) -> Vec<String> {
    let texts = frames.iter().map(|frame| {
        let frame: Value = serde_json::from_str(frame.get()).unwrap();
        frame["text"].as_str().unwrap().to_owned()
    });
    texts.collect()
}

/// The answer with these messages.
pub fn recovered(texts: &[&str], offset: u64, top: u64) -> Answered {
    let texts = texts.iter().map(|text| (*text).to_owned()).collect();
    Some((texts, offset, top))
}

pub async fn recover<R: LogRows>(
    log: &Log<R>,
    audience: &Audience,
    since: &Position,
    second: u64,
) -> Answered {
    let mut budget = Budget::REPLY;
    let recovery = log.recover(audience, POLICY, since, Reach::Log, &mut budget, at(second));
    answered(recovery.await.unwrap())
}

pub async fn sync<R: LogRows>(
    log: &Log<R>,
    audience: &Audience,
    since: &Position,
    second: u64,
) -> Synced {
    let mut budget = Budget::REPLY;
    let synced = log.sync(audience, POLICY, since, Reach::Log, &mut budget, at(second));
    synced.await.unwrap()
}

/// The same for a client that is behind.
pub async fn sync_behind<R: LogRows>(
    log: &Log<R>,
    audience: &Audience,
    since: &Position,
    second: u64,
) -> Answered {
    match sync(log, audience, since, second).await {
        Synced::Current => panic!("it is behind"),
        Synced::Behind(recovery) => answered(recovery),
    }
}

/// Claims an offset for an event as a notifier does that stops before it stores the row.
pub async fn claim_only<R: LogRows>(log: &Log<R>, audience: &Audience, id: &str, second: u64) {
    let event = ClaimedEvent {
        tag: EventTag::of(id),
        lost: None,
    };
    let claim = Claim {
        events: &[event],
        retention: Retention::Seconds(SECONDS),
        new_epoch: &Epoch::random(),
        now: since_epoch(second),
        last: None,
    };
    let claimed = log.rows().claim(audience, claim).await.unwrap();
    assert!(matches!(claimed, Claimed::Made(_)));
}
