//! Requests that fail: an error undoes nothing, and the same call again completes it.

use std::time::Duration;

use herald_shared::log::{
    Budget, Log, LogRows, Message, Position, Published, Reach, Synced,
    failing::{FailingLogRows, Failure},
    publish,
};

use super::fixture::{
    POLICY, at, claim_only, entity, frame, head, position, publish_one, recover, recovered,
};

pub async fn failed_request_leaves_what_a_retry_completes<R: LogRows>(log: &Log<R>) {
    for failure in [Failure::Throttled, Failure::AnswerLost] {
        let failing = Log::over(FailingLogRows::over(log.rows()));
        publishing(log, &failing, failure).await;
        syncing(log, &failing, failure).await;
    }
}

async fn publishing<R: LogRows>(
    log: &Log<R>,
    failing: &Log<FailingLogRows<'_, R>>,
    failure: Failure,
) {
    // Claiming the offset, and storing the row.
    for spared in 0..3 {
        let audience = entity(&format!("failing-{failure:?}-{spared}"));
        failing.rows().fail_after(spared, failure);
        let frame = frame("a");
        let messages = [Message {
            event_id: "a",
            frame: &frame,
            version: None,
        }];
        let publish = async || {
            let published = publish(
                failing,
                &audience,
                POLICY,
                &messages,
                at(0),
                Duration::ZERO,
                async |_| (),
            );
            published
                .await
                .and_then(|mut published| published.remove(0))
        };
        let first = publish().await;
        if failing.rows().take_back() {
            assert_eq!(spared, 2, "publishing has two requests");
        } else {
            assert!(first.unwrap_err().is_transient());
        }
        assert_eq!(publish().await.unwrap(), Published::Delivered(()));
        let expected = recovered(&["a"], 1, 1);
        assert_eq!(recover(log, &audience, &Position::START, 0).await, expected);
        assert_eq!(head(log, &audience).await.unwrap().top, 1);
    }
}

async fn syncing<R: LogRows>(log: &Log<R>, failing: &Log<FailingLogRows<'_, R>>, failure: Failure) {
    // Reading the head twice, reading the rows, and filling two holes.
    for spared in 0..6 {
        let audience = entity(&format!("failing-sync-{failure:?}-{spared}"));
        publish_one(log, &audience, "a", 0).await;
        claim_only(log, &audience, "b", 0).await;
        claim_only(log, &audience, "c", 0).await;
        publish_one(log, &audience, "d", 0).await;
        let since = position(log, &audience, 1).await;
        failing.rows().fail_after(spared, failure);
        let sync = async || {
            let mut budget = Budget::REPLY;
            let synced = failing.sync(&audience, POLICY, &since, Reach::Log, &mut budget, at(20));
            synced.await
        };
        let first = sync().await;
        if failing.rows().take_back() {
            assert_eq!(spared, 5, "syncing has five requests");
        } else {
            assert!(first.unwrap_err().is_transient());
        }
        let Synced::Behind(recovery) = sync().await.unwrap() else {
            panic!("the client is behind");
        };
        assert_eq!(super::fixture::answered(recovery), recovered(&["d"], 4, 4));
    }
}
