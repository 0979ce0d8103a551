//! The conditions of single writes, which the order of the log's writes stands on.

use herald_shared::log::{
    Claim, Claimed, ClaimedEvent, Consistency, Content, Epoch, EventTag, Head, LastValue, LogRow,
    LogRows, Put, Retention, SLOTS,
};

use super::fixture::{SECONDS, entity, frame, since_epoch};

pub async fn offsets_are_claimed_on_their_conditions<R: LogRows>(rows: &R) {
    let audience = entity("conditions");
    let new_epoch = Epoch::new("aaaaaaaa").unwrap();
    let claim = async |events: &[ClaimedEvent], retention, epoch: &Epoch, last| {
        let claim = Claim {
            events,
            retention,
            new_epoch: epoch,
            now: since_epoch(7),
            last,
        };
        rows.claim(&audience, claim).await.unwrap()
    };
    let kept = Retention::Seconds(SECONDS);
    assert!(read(rows, &audience).await.is_none());

    let (one, two) = (event(1, 1), event(2, 2));
    let head = made(claim(&[one, two], kept, &new_epoch, None).await);
    assert_eq!((head.epoch.as_str(), head.top), ("aaaaaaaa", 2));
    assert_eq!((head.made_at, head.at), (since_epoch(7), since_epoch(7)));
    assert!(!head.restarted);
    assert_eq!(head.remembered(two.tag).unwrap().offset, 2);

    // An event that is remembered is refused, and with it all of the claim. The epoch stays.
    let other_epoch = Epoch::new("bbbbbbbb").unwrap();
    let head = refused(claim(&[event(3, 3), one], kept, &other_epoch, None).await);
    assert_eq!((head.epoch.as_str(), head.top), ("aaaaaaaa", 2));
    assert_eq!(head.remembered(one.tag).unwrap().offset, 1);
    assert_eq!(head.remembered(one.tag).unwrap().at, since_epoch(7));

    // It is admitted if it lost that very offset.
    let lost = |lost| ClaimedEvent {
        lost: Some(lost),
        ..one
    };
    assert_eq!(
        refused(claim(&[lost(2)], kept, &other_epoch, None).await).top,
        2
    );
    assert_eq!(
        made(claim(&[lost(1)], kept, &other_epoch, None).await).top,
        3
    );
    assert_eq!(
        refused(claim(&[lost(1)], kept, &other_epoch, None).await).top,
        3
    );

    // The second event of a slot claims an offset and is not remembered; a later one is.
    let (third, fourth) = (event(5, 3), event(5, 4));
    let head = made(claim(&[third, fourth], kept, &new_epoch, None).await);
    assert_eq!(
        (head.top, head.remembered(third.tag).unwrap().offset),
        (5, 4)
    );
    assert!(head.remembered(fourth.tag).is_none());
    let head = made(claim(&[fourth], kept, &new_epoch, None).await);
    assert!(head.remembered(third.tag).is_none());

    // Another retention is refused; the head can be replaced, by its epoch.
    for other in [Retention::Seconds(SECONDS + 1), Retention::Last] {
        refused(claim(&[event(9, 9)], other, &new_epoch, None).await);
    }
    let next = Head {
        epoch: other_epoch.clone(),
        restarted: true,
        retention: Retention::Last,
        slots: Default::default(),
        ..head
    };
    let replaced = rows.replace_head(&audience, &other_epoch, &next).await;
    assert!(!replaced.unwrap());
    let replaced = rows.replace_head(&audience, &new_epoch, &next).await;
    assert!(replaced.unwrap());
    let head = read(rows, &audience).await.unwrap();
    assert_eq!(format!("{head:?}"), format!("{next:?}"));

    // A version is higher than the head's, or none.
    let frame = frame("a");
    let last = |version| {
        let frame = &frame;
        Some(LastValue { frame, version })
    };
    for (number, version, is_made) in [
        (1, None, true),
        (2, Some(5), true),
        (3, Some(5), false),
        (4, Some(4), false),
        (5, None, true),
        (6, Some(5), false),
        (7, Some(6), true),
    ] {
        let events = [event(number, number)];
        let claimed = claim(&events, Retention::Last, &new_epoch, last(version)).await;
        assert_eq!(matches!(claimed, Claimed::Made(_)), is_made, "{number}");
    }
    let many: Vec<_> = (0..25).map(|number| event(number, 77)).collect();
    let head = made(claim(&many, Retention::Last, &new_epoch, None).await);
    assert_eq!(head.remembered(many[24].tag).unwrap().offset, head.top);
    assert_eq!(head.frame.unwrap().get(), frame.get());
    let others: Vec<_> = (25..SLOTS).map(|number| event(number, 77)).collect();
    let head = made(claim(&others, Retention::Last, &new_epoch, None).await);
    assert_eq!(head.slots.len(), usize::from(SLOTS));
}

pub async fn rows_are_written_once_and_read_in_pages<R: LogRows>(rows: &R) {
    let audience = entity("rows");
    let epoch = Epoch::new("aaaaaaaa").unwrap();
    let message = |offset, id: &str| LogRow {
        offset,
        at: since_epoch(offset),
        content: Content::Message {
            event_id: id.to_owned(),
            frame: frame(id),
        },
    };
    let put = async |row: &LogRow| {
        rows.put(&audience, &epoch, row, row.expires_at(SECONDS))
            .await
            .unwrap()
    };
    for offset in [1, 2, 4, 1_000] {
        let row = message(offset, "a");
        assert!(matches!(put(&row).await, Put::Stored));
        let Put::Occupied(present) = put(&message(offset, "b")).await else {
            panic!("the row of {offset} was written twice");
        };
        assert_eq!(format!("{present:?}"), format!("{row:?}"));
    }
    let hole = LogRow {
        content: Content::Gone,
        ..message(3, "")
    };
    assert!(matches!(put(&hole).await, Put::Stored));
    let Put::Occupied(present) = put(&message(3, "b")).await else {
        panic!("a filled hole was written");
    };
    assert_eq!(format!("{present:?}"), format!("{hole:?}"));

    for (first, last, limit, offsets, read_to) in [
        (1, 999, 10, &[1, 2, 3, 4][..], None),
        (2, 3, 10, &[2, 3], None),
        (2, 1_000, 3, &[2, 3, 4], Some(4)),
        (5, 999, 10, &[], None),
        (5, 1_000, 10, &[1_000], None),
    ] {
        let page = rows.rows(&audience, &epoch, first..=last, limit);
        let page = page.await.unwrap();
        let read: Vec<_> = page.rows.iter().map(|row| row.offset).collect();
        assert_eq!((&read[..], page.read_to), (offsets, read_to));
    }
    let other = Epoch::new("bbbbbbbb").unwrap();
    let page = rows.rows(&audience, &other, 1..=9, 10).await.unwrap();
    assert!(page.rows.is_empty());
}

fn event(slot: u8, bits: u8) -> ClaimedEvent {
    ClaimedEvent {
        tag: EventTag {
            slot,
            bits: [bits; 6],
        },
        lost: None,
    }
}

async fn read<R: LogRows>(rows: &R, audience: &herald_shared::audience::Audience) -> Option<Head> {
    rows.head(audience, Consistency::Strong).await.unwrap()
}

fn made(claimed: Claimed) -> Head {
    match claimed {
        Claimed::Made(head) => head,
        Claimed::Refused(head) => panic!("refused: {head:?}"),
    }
}

fn refused(claimed: Claimed) -> Head {
    match claimed {
        Claimed::Refused(head) => head,
        Claimed::Made(head) => panic!("made: {head:?}"),
    }
}
