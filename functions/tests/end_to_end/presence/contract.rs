//! One contract for the rows of presence in memory, in DynamoDB, and with failures.

use herald_shared::{
    failure_plan::Failure,
    ids::{ConnectionId, EntityId, UserId},
    presence::{
        Begun, Commit, Committed, DynamoDbMemberRows, Flush, FlushReason, Info, Joined, Joining,
        Member, MemberRow, MemberRows, SetRow, failing::FailingMemberRows,
        memory::MemoryMemberRows,
    },
    store::Superseded,
};
use herald_testkit::local_only;

use crate::harness::TestStack;

/// A time far in the future, so that the table's time to live removes nothing.
const LATER: u64 = 4_000_000_000;

#[local_only("needs no stack")]
#[tokio::test]
async fn memory_rows_keep_the_contract() {
    let rows = MemoryMemberRows::new(2);
    keep_the_contract(&rows).await;
}

#[tokio::test]
async fn dynamodb_rows_keep_the_contract() {
    let stack = TestStack::start().await;
    let client = aws_sdk_dynamodb::Client::new(stack.aws());
    let rows = DynamoDbMemberRows::new(client, &stack.addresses().table).with_page_limit(2);
    keep_the_contract(&rows).await;
    stack.stop().await;
}

#[local_only("needs no stack")]
#[tokio::test]
async fn failing_rows_keep_the_contract_and_fail_as_planned() {
    let memory = MemoryMemberRows::new(2);
    let rows = FailingMemberRows::over(&memory);
    keep_the_contract(&rows).await;
    let member = member(Some("ann"), "c-9");
    for (failure, stored) in [(Failure::Throttled, false), (Failure::AnswerLost, true)] {
        rows.plan().fail_after(0, failure);
        let failed = rows
            .join(joining(&entity("failing"), &member, 1, None))
            .await;
        assert!(failed.is_err());
        let row = rows.member(&entity("failing"), &member).await.unwrap();
        assert_eq!(row.is_some(), stored, "{failure:?}");
    }
}

async fn keep_the_contract(rows: &impl MemberRows) {
    members_join_and_leave_by_the_numbers_of_changes(rows).await;
    marks_and_removals_are_of_the_rows_that_were_seen(rows).await;
    all_members_are_read_in_pages(rows).await;
    flushes_are_scheduled_begun_and_committed_once(rows).await;
}

async fn members_join_and_leave_by_the_numbers_of_changes(rows: &impl MemberRows) {
    let (room, ann) = (entity("changes"), member(Some("a#b"), "c-1"));
    let info = Info::from_json(r#"{"name":"Ann"}"#).unwrap();
    let left = rows.leave(&room, &ann, Superseded::Below(9)).await.unwrap();
    assert_eq!(left, None, "no row is made");
    let joined = rows.join(joining(&room, &ann, 3, Some(&info))).await;
    assert_eq!(joined.unwrap(), Joined::Written(None));
    let row = rows.member(&room, &ann).await.unwrap().unwrap();
    assert_eq!((row.change, &row.info, row.left), (3, &Some(info), false));
    assert_eq!((row.expires_at, row.announced), (LATER, false));
    assert!(rows.mark_announced(&room, &row).await.unwrap());
    let older = rows.join(joining(&room, &ann, 2, None)).await.unwrap();
    assert_eq!(older, Joined::Superseded);
    for older in [Superseded::Below(3), Superseded::By(2)] {
        assert_eq!(
            rows.leave(&room, &ann, older).await.unwrap(),
            None,
            "{older:?}"
        );
    }
    for _ in 0..2 {
        let left = rows
            .leave(&room, &ann, Superseded::Below(5))
            .await
            .unwrap()
            .unwrap();
        assert!(left.left && left.announced && left.change == 5, "{left:?}");
    }
    let late = rows.join(joining(&room, &ann, 4, None)).await.unwrap();
    assert_eq!(late, Joined::Superseded);
    let Joined::Written(Some(before)) = rows.join(joining(&room, &ann, 6, None)).await.unwrap()
    else {
        panic!("the row was there")
    };
    assert!(before.left);
    let row = rows.member(&room, &ann).await.unwrap().unwrap();
    assert!(row.announced && !row.left && row.info.is_none(), "{row:?}");
    let left = rows
        .leave(&room, &ann, Superseded::Always)
        .await
        .unwrap()
        .unwrap();
    assert!(left.left);
    let late = rows.join(joining(&room, &ann, 100, None)).await.unwrap();
    assert_eq!(
        late,
        Joined::Superseded,
        "a connection that is gone does not come back"
    );
}

async fn marks_and_removals_are_of_the_rows_that_were_seen(rows: &impl MemberRows) {
    let (room, bob) = (entity("marks"), member(None, "c-2"));
    rows.join(joining(&room, &bob, 1, None)).await.unwrap();
    let seen = rows.member(&room, &bob).await.unwrap().unwrap();
    let others = [
        MemberRow {
            change: 2,
            ..seen.clone()
        },
        MemberRow {
            expires_at: LATER - 1,
            ..seen.clone()
        },
    ];
    for other in &others {
        assert!(!rows.mark_announced(&room, other).await.unwrap());
        assert!(!rows.retire(&room, other).await.unwrap());
        rows.remove(&room, other).await.unwrap();
        assert_eq!(rows.member(&room, &bob).await.unwrap(), Some(seen.clone()));
    }
    assert!(rows.mark_announced(&room, &seen).await.unwrap());
    assert!(rows.retire(&room, &seen).await.unwrap());
    let retired = rows.member(&room, &bob).await.unwrap().unwrap();
    assert!(retired.left && !retired.announced, "{retired:?}");
    assert!(!rows.mark_announced(&room, &seen).await.unwrap());
    rows.remove(&room, &seen).await.unwrap();
    assert_eq!(rows.member(&room, &bob).await.unwrap(), None);
    assert!(!rows.retire(&room, &seen).await.unwrap(), "no row is made");
}

async fn all_members_are_read_in_pages(rows: &impl MemberRows) {
    let room = entity("pages");
    // A user's id may sort before the row of the set.
    let users = [None, Some(" "), Some("!"), Some("ann"), Some("a#b")];
    for (number, user) in users.into_iter().enumerate() {
        let member = member(user, &format!("c-{number}"));
        rows.join(joining(&room, &member, 1, None)).await.unwrap();
    }
    let flush = flush("pages", FlushReason::Changes, LATER);
    assert!(rows.schedule(&flush, None).await.unwrap());
    let mut read = Vec::new();
    let mut page = rows.members(&room, None).await.unwrap();
    loop {
        read.extend(page.rows);
        let Some(after) = page.read_to else { break };
        page = rows.members(&room, Some(&after)).await.unwrap();
    }
    assert_eq!(read.len(), users.len(), "{read:?}");
}

async fn flushes_are_scheduled_begun_and_committed_once(rows: &impl MemberRows) {
    let room = entity("sets");
    assert_eq!(rows.set(&room).await.unwrap(), None);
    let first = flush("sets", FlushReason::Changes, LATER);
    assert!(rows.schedule(&first, None).await.unwrap());
    assert!(!rows.schedule(&first, None).await.unwrap());
    let later = flush("sets", FlushReason::Changes, LATER + 9);
    assert!(rows.schedule(&later, Some(LATER)).await.unwrap());
    let set = SetRow {
        flush_at: Some(LATER + 9),
        ..SetRow::default()
    };
    assert_eq!(rows.set(&room).await.unwrap(), Some(set.clone()));
    assert_eq!(rows.begin(&first).await.unwrap(), Begun::Other(set));
    for _ in 0..2 {
        let begun = rows.begin(&later).await.unwrap();
        assert_eq!(begun, Begun::Removed(SetRow::default()));
    }
    let expiry = flush("sets", FlushReason::Expiry, LATER + 20);
    assert!(rows.schedule(&expiry, None).await.unwrap());
    let other = flush("sets", FlushReason::Expiry, LATER + 30);
    assert!(matches!(rows.begin(&other).await.unwrap(), Begun::Other(_)));
    assert!(matches!(
        rows.begin(&expiry).await.unwrap(),
        Begun::Removed(_)
    ));
    let commit = Commit {
        turn: 0,
        version: 1,
        count: 7,
    };
    assert_eq!(rows.commit(&room, commit).await.unwrap(), Committed::Made);
    let Committed::Refused(set) = rows.commit(&room, commit).await.unwrap() else {
        panic!("two flushes committed the same turn")
    };
    assert_eq!((set.turn, set.version, set.count), (1, 1, 7));
    let next = Commit { turn: 1, ..commit };
    assert_eq!(rows.commit(&room, next).await.unwrap(), Committed::Made);
}

fn joining<'a>(
    entity: &'a EntityId,
    member: &'a Member,
    change: u64,
    info: Option<&'a Info>,
) -> Joining<'a> {
    Joining {
        entity,
        member,
        info,
        change,
        expires_at: LATER,
    }
}

fn entity(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

fn member(user: Option<&str>, connection: &str) -> Member {
    Member {
        user: user.map(|user| UserId::new(user).unwrap()),
        connection: ConnectionId::new(connection).unwrap(),
    }
}

fn flush(entity_id: &str, reason: FlushReason, at: u64) -> Flush {
    Flush {
        entity_id: entity(entity_id),
        reason,
        at,
    }
}
