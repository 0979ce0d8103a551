//! Offsets without a message.

use herald_shared::log::{Log, LogRows};

use super::fixture::{
    claim_only, entity, head, position, publish_one, recover, recovered, sync_behind,
};

pub async fn hole_is_filled_by_sync_once_it_is_old<R: LogRows>(log: &Log<R>) {
    let audience = entity("hole");
    publish_one(log, &audience, "a", 0).await;
    claim_only(log, &audience, "b", 5).await;
    let since = position(log, &audience, 1).await;
    // The last offset is as old as the head says.
    for second in [5, 14] {
        let pending = recovered(&[], 1, 2);
        assert_eq!(sync_behind(log, &audience, &since, second).await, pending);
    }
    publish_one(log, &audience, "c", 7).await;
    // One with a message after it is at least as old as that. A recovery never fills.
    let pending = recovered(&[], 1, 3);
    assert_eq!(sync_behind(log, &audience, &since, 16).await, pending);
    assert_eq!(recover(log, &audience, &since, 30).await, pending);
    let filled = recovered(&["c"], 3, 3);
    assert_eq!(sync_behind(log, &audience, &since, 17).await, filled);
    assert_eq!(recover(log, &audience, &since, 17).await, filled);

    // Several holes, at the end and at the start of a log.
    let audience = entity("holes");
    claim_only(log, &audience, "a", 0).await;
    claim_only(log, &audience, "b", 0).await;
    publish_one(log, &audience, "c", 0).await;
    claim_only(log, &audience, "d", 0).await;
    let start = position(log, &audience, 0).await;
    let pending = recovered(&[], 0, 4);
    assert_eq!(recover(log, &audience, &start, 30).await, pending);
    let filled = recovered(&["c"], 4, 4);
    assert_eq!(sync_behind(log, &audience, &start, 10).await, filled);
    assert_eq!(recover(log, &audience, &start, 10).await, filled);
}

pub async fn slow_writer_claims_a_new_offset<R: LogRows>(log: &Log<R>) {
    let audience = entity("slow");
    publish_one(log, &audience, "a", 0).await;
    claim_only(log, &audience, "b", 0).await;
    let since = position(log, &audience, 1).await;
    let filled = recovered(&[], 2, 2);
    assert_eq!(sync_behind(log, &audience, &since, 10).await, filled);
    // Its event comes again, and finds that its offset is filled.
    for _ in 0..2 {
        assert_eq!(publish_one(log, &audience, "b", 11).await, 3);
    }
    let expected = recovered(&["b"], 3, 3);
    assert_eq!(recover(log, &audience, &since, 11).await, expected);
    // A row that came in time is found in place of the hole.
    claim_only(log, &audience, "c", 11).await;
    assert_eq!(publish_one(log, &audience, "c", 12).await, 4);
    let since = position(log, &audience, 3).await;
    let expected = recovered(&["c"], 4, 4);
    assert_eq!(sync_behind(log, &audience, &since, 30).await, expected);
    assert_eq!(head(log, &audience).await.unwrap().top, 4);
}

pub async fn expired_messages_are_lost_and_not_filled<R: LogRows>(log: &Log<R>) {
    let audience = entity("expired");
    publish_one(log, &audience, "a", 0).await;
    publish_one(log, &audience, "b", 60).await;
    publish_one(log, &audience, "c", 120).await;
    claim_only(log, &audience, "d", 180).await;
    publish_one(log, &audience, "e", 240).await;
    let since = async |offset| position(log, &audience, offset).await;
    // The row before the hole proves that the hole's message has not expired, but not in its last minute.
    let pending = recovered(&["c"], 3, 5);
    assert_eq!(recover(log, &audience, &since(2).await, 659).await, pending);
    assert_eq!(recover(log, &audience, &since(2).await, 660).await, None);
    let pending = recovered(&[], 3, 5);
    assert_eq!(recover(log, &audience, &since(3).await, 659).await, pending);
    for second in [660, 719, 720, 779] {
        let lost = sync_behind(log, &audience, &since(3).await, second).await;
        assert_eq!(lost, None, "{second}");
    }
    // The hole was not filled meanwhile: a late writer would still have its offset.
    assert_eq!(publish_one(log, &audience, "d", 300).await, 4);
}

pub async fn redelivered_row_proves_no_longer_than_its_neighbours<R: LogRows>(log: &Log<R>) {
    let audience = entity("late");
    publish_one(log, &audience, "before", 0).await;
    claim_only(log, &audience, "a", 1).await;
    publish_one(log, &audience, "b", 2).await;
    publish_one(log, &audience, "c", 500).await;
    // The event of offset 2 comes again six minutes later: its row expires with its neighbours all the same.
    assert_eq!(publish_one(log, &audience, "a", 361).await, 2);
    let since = position(log, &audience, 2).await;
    let expected = recovered(&["b", "c"], 4, 4);
    assert_eq!(recover(log, &audience, &since, 601).await, expected);
    for second in [602, 700, 900] {
        let lost = recover(log, &audience, &since, second).await;
        assert_eq!(lost, None, "{second}");
    }
    // So does the row by which a reader fills a hole.
    let audience = entity("late-fill");
    publish_one(log, &audience, "a", 0).await;
    claim_only(log, &audience, "b", 1).await;
    claim_only(log, &audience, "c", 2).await;
    publish_one(log, &audience, "d", 400).await;
    let since = position(log, &audience, 1).await;
    let filled = recovered(&["d"], 4, 4);
    assert_eq!(sync_behind(log, &audience, &since, 410).await, filled);
    let since = position(log, &audience, 2).await;
    assert_eq!(recover(log, &audience, &since, 599).await, filled);
    assert_eq!(recover(log, &audience, &since, 601).await, None);
}
