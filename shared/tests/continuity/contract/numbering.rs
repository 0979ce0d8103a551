//! Offsets and events.

use herald_shared::log::{EventTag, Log, LogPolicy, LogRows, Position, Retention};

use super::fixture::{
    POLICY, entity, epoch, head, position, publish_at, publish_one, recover, recovered,
};

pub async fn redelivered_event_has_the_offset_that_it_had<R: LogRows>(log: &Log<R>) {
    let audience = entity("redelivered");
    for (id, offset) in [("a", 1), ("b", 2), ("a", 1), ("b", 2), ("c", 3), ("a", 1)] {
        assert_eq!(publish_one(log, &audience, id, 1).await, offset, "{id}");
    }
    let start = position(log, &audience, 0).await;
    let expected = recovered(&["a", "b", "c"], 3, 3);
    assert_eq!(recover(log, &audience, &start, 1).await, expected);
}

pub async fn events_of_a_batch_claim_their_offsets_at_once<R: LogRows>(log: &Log<R>) {
    let audience = entity("batch");
    let publish = async |ids: &[&str]| publish_at(log, &audience, POLICY, ids, 1).await;
    assert_eq!(publish(&["a", "b", "c"]).await, [1, 2, 3]);
    // Some of them again, and one twice in a batch.
    assert_eq!(publish(&["d", "b", "e", "d"]).await, [4, 2, 5, 4]);
    let many: Vec<_> = (0..30).map(|number| format!("many-{number}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let offsets: Vec<_> = (6..36).collect();
    assert_eq!(publish(&many).await, offsets);
    assert_eq!(head(log, &audience).await.unwrap().top, 35);
}

pub async fn event_beyond_the_slots_claims_a_second_offset<R: LogRows>(log: &Log<R>) {
    let audience = entity("slots");
    let slot = EventTag::of("first").slot;
    let mut ids = (0..).map(|number| format!("other-{number}"));
    let other = ids.find(|id| EventTag::of(id).slot == slot).unwrap();
    assert_eq!(publish_one(log, &audience, "first", 1).await, 1);
    assert_eq!(publish_one(log, &audience, &other, 1).await, 2);
    assert_eq!(publish_one(log, &audience, "first", 1).await, 3);
}

pub async fn another_retention_begins_another_epoch<R: LogRows>(log: &Log<R>) {
    let audience = entity("retention");
    assert_eq!(publish_one(log, &audience, "a", 1).await, 1);
    assert_eq!(publish_one(log, &audience, "b", 1).await, 2);
    let (first, old) = (
        epoch(log, &audience).await,
        position(log, &audience, 2).await,
    );
    let longer = LogPolicy::Messages {
        messages: 10,
        seconds: 601,
    };
    let offsets = publish_at(log, &audience, longer, &["c", "d"], 2).await;
    assert_eq!(offsets, [1, 2]);
    let head = head(log, &audience).await.unwrap();
    assert_ne!(head.epoch, first);
    assert_eq!(head.retention, Retention::Seconds(601));
    assert_eq!(publish_at(log, &audience, longer, &["c"], 2).await, [1]);
    // A subscriber without an epoch may have missed messages of the one that ended.
    for since in [old, Position::START] {
        assert_eq!(recover(log, &audience, &since, 2).await, None, "{since:?}");
    }
    // More messages of the same retention are no reason for another epoch.
    let more = LogPolicy::Messages {
        messages: 20,
        seconds: 601,
    };
    assert_eq!(publish_at(log, &audience, more, &["e"], 3).await, [3]);
}
