//! Logs in mode `last`.

use std::time::Duration;

use herald_shared::log::{
    Budget, Log, LogPolicy, LogRows, Message, Position, Published, Reach, Selection, publish,
};

use super::fixture::{answered, at, entity, frame, head, position, publish_at, recovered};

pub async fn last_message_is_on_the_head<R: LogRows>(log: &Log<R>) {
    let audience = entity("last");
    let publish = async |ids: &[&str]| publish_at(log, &audience, LogPolicy::Last, ids, 1).await;
    assert_eq!(publish(&["a"]).await, [1]);
    assert_eq!(publish(&["b", "c"]).await, [2, 3]);
    assert_eq!(publish(&["b"]).await, [2]);
    let head = head(log, &audience).await.unwrap();
    assert_eq!(head.frame.unwrap().get(), frame("c").get());
    let page = log.rows().rows(&audience, &head.epoch, 1..=3, 9).await;
    assert!(page.unwrap().rows.is_empty());

    let expected = recovered(&["c"], 3, 3);
    let (first, end) = (
        position(log, &audience, 1).await,
        position(log, &audience, 3).await,
    );
    for (since, expected) in [
        (Position::START, expected.clone()),
        (first, expected.clone()),
        (end, recovered(&[], 3, 3)),
        (position(log, &audience, 4).await, None),
    ] {
        let mut budget = Budget::REPLY;
        let recovery = log.recover(
            &audience,
            LogPolicy::Last,
            &since,
            Reach::Log,
            &mut budget,
            at(1_000_000),
        );
        assert_eq!(answered(recovery.await.unwrap()), expected, "{since:?}");
    }
    let mut budget = Budget::REPLY;
    let read = log.history(
        &audience,
        LogPolicy::Last,
        &Selection::Last(5),
        &mut budget,
        at(1),
    );
    assert_eq!(answered(read.await.unwrap()), expected);
    // A log of messages in its place is another epoch.
    let since = position(log, &audience, 2).await;
    let offsets = publish_at(log, &audience, super::fixture::POLICY, &["d"], 2).await;
    assert_eq!(offsets, [1]);
    assert_eq!(
        super::fixture::recover(log, &audience, &since, 2).await,
        None
    );
}

pub async fn stale_version_is_dropped<R: LogRows>(log: &Log<R>) {
    let audience = entity("versions");
    for (id, version, expected) in [
        ("a", Some(1), Published::Delivered(1)),
        ("c", Some(3), Published::Delivered(2)),
        ("b", Some(2), Published::Stale),
        // A redelivery of what came before is none.
        ("c", Some(3), Published::Delivered(2)),
        ("d", None, Published::Delivered(3)),
        ("b", Some(2), Published::Stale),
        ("e", Some(4), Published::Delivered(4)),
    ] {
        let frame = frame(id);
        let messages = [Message {
            event_id: id,
            frame: &frame,
            version,
        }];
        let published = publish(
            log,
            &audience,
            LogPolicy::Last,
            &messages,
            at(1),
            Duration::ZERO,
            async |stored| stored.position.offset,
        );
        let mut published = published.await.unwrap();
        assert_eq!(published.remove(0).unwrap(), expected, "{id}");
    }
    let head = head(log, &audience).await.unwrap();
    assert_eq!(head.frame.unwrap().get(), frame("e").get());
}
