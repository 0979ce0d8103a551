//! Positions, and what is recovered from them.

use std::time::Duration;

use herald_shared::log::{Budget, Epoch, Log, LogRows, Position, Reach, Recovery, Synced};

use super::fixture::{
    POLICY, answered, at, entity, head, position, publish_at, publish_one, recover, recovered,
    sync, sync_behind,
};

pub async fn subscribe_to_a_log_without_messages_writes_nothing<R: LogRows>(log: &Log<R>) {
    let audience = entity("start");
    let start = log.position(&audience).await.unwrap();
    assert_eq!(start, Position::START);
    assert!(head(log, &audience).await.is_none());
    assert_eq!(
        recover(log, &audience, &start, 0).await,
        recovered(&[], 0, 0)
    );
    assert!(matches!(
        sync(log, &audience, &start, 0).await,
        Synced::Current
    ));
    assert!(head(log, &audience).await.is_none());

    publish_one(log, &audience, "a", 1).await;
    publish_one(log, &audience, "b", 2).await;
    let everything = recovered(&["a", "b"], 2, 2);
    assert_eq!(recover(log, &audience, &start, 3).await, everything);
    assert_eq!(sync_behind(log, &audience, &start, 3).await, everything);
    assert_eq!(log.position(&audience).await.unwrap().offset, 2);
    // A position with an epoch, in a log that has none, is of a log that was deleted.
    let other = entity("start-other");
    let since = position(log, &audience, 2).await;
    assert_eq!(recover(log, &other, &since, 3).await, None);
}

pub async fn recovery_is_whole_or_lost<R: LogRows>(log: &Log<R>) {
    let audience = entity("edges");
    // A message a minute; the policy is of ten messages and ten minutes.
    for number in 1..=12 {
        publish_one(log, &audience, &number.to_string(), number * 60).await;
    }
    let texts: Vec<_> = (1..=12).map(|number: u32| number.to_string()).collect();
    let since = |offset: usize| {
        let texts: Vec<_> = texts[offset..].iter().map(String::as_str).collect();
        recovered(&texts, 12, 12)
    };
    for (offset, second, expected) in [
        (12, 720, since(12)),
        (11, 720, since(11)),
        // The most messages of the policy, and one more.
        (2, 720, since(2)),
        (1, 720, None),
        (0, 720, None),
        // Ahead of the log.
        (13, 720, None),
        // The third message expires 600 s after it was published.
        (2, 779, since(2)),
        (2, 780, None),
        (3, 780, since(3)),
        // Everything expired. A client that has everything needs no proof.
        (11, 1_320, None),
        (12, 1_320, since(12)),
    ] {
        let position = position(log, &audience, offset).await;
        let answer = recover(log, &audience, &position, second).await;
        assert_eq!(answer, expected, "since {offset} at {second}");
    }
    let other = Position::after(Epoch::new("aaaaaaaa").unwrap(), 11);
    assert_eq!(recover(log, &audience, &other, 720).await, None);
    // More messages than the policy has are lost, though their rows are there.
    let burst = entity("burst");
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    publish_at(log, &burst, POLICY, &texts, 0).await;
    for (offset, expected) in [(2, recovered(&texts[2..], 12, 12)), (1, None), (0, None)] {
        let position = position(log, &burst, offset).await;
        let answer = recover(log, &burst, &position, 1).await;
        assert_eq!(answer, expected, "since {offset} of a burst");
    }
    // Lost: the client is live from the end of the log.
    let mut budget = Budget::REPLY;
    let lost = log.recover(&audience, POLICY, &other, Reach::Log, &mut budget, at(720));
    let Recovery::Lost(from) = lost.await.unwrap() else {
        panic!("another epoch was recovered");
    };
    assert_eq!(from, position(log, &audience, 12).await);
    assert_eq!(budget, Budget::REPLY);
}

pub async fn recovery_reaches_as_far_as_is_allowed<R: LogRows>(log: &Log<R>) {
    let audience = entity("reach");
    publish_one(log, &audience, "a", 0).await;
    publish_one(log, &audience, "b", 100).await;
    let within = Reach::Within(Duration::from_secs(300));
    for (since, second, reach, expected) in [
        (0, 300, within, recovered(&["a", "b"], 2, 2)),
        (0, 301, within, None),
        (0, 301, Reach::Log, recovered(&["a", "b"], 2, 2)),
        (1, 400, within, recovered(&["b"], 2, 2)),
        (1, 401, within, None),
        (2, 500, within, recovered(&[], 2, 2)),
    ] {
        let position = position(log, &audience, since).await;
        let mut budget = Budget::REPLY;
        let recovery = log.recover(&audience, POLICY, &position, reach, &mut budget, at(second));
        let answer = answered(recovery.await.unwrap());
        assert_eq!(answer, expected, "since {since} at {second}");
    }
}

pub async fn sync_answers_only_a_client_that_is_behind<R: LogRows>(log: &Log<R>) {
    let audience = entity("sync");
    publish_one(log, &audience, "a", 0).await;
    publish_one(log, &audience, "b", 0).await;
    let current = position(log, &audience, 2).await;
    assert!(matches!(
        sync(log, &audience, &current, 1).await,
        Synced::Current
    ));
    let behind = position(log, &audience, 1).await;
    let expected = recovered(&["b"], 2, 2);
    assert_eq!(sync_behind(log, &audience, &behind, 1).await, expected);
    let ahead = position(log, &audience, 3).await;
    assert_eq!(sync_behind(log, &audience, &ahead, 1).await, None);
}
