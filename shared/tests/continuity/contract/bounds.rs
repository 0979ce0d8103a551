//! The bounds of a reply, and the messages of `history`.

use std::time::Duration;

use herald_shared::log::{
    Budget, Excerpt, Log, LogPolicy, LogRows, Message, Position, Reach, Recovery, Selection,
    publish,
};
use serde_json::value::RawValue;

use super::fixture::{
    POLICY, answered, at, claim_only, entity, position, publish_at, publish_one, recovered, texts,
};

const MANY: LogPolicy = LogPolicy::Messages {
    messages: 1_000,
    seconds: super::fixture::SECONDS,
};

pub async fn reply_is_bounded_in_messages_and_bytes<R: LogRows>(log: &Log<R>) {
    let audience = entity("many");
    let ids: Vec<_> = (1..=310).map(|number| number.to_string()).collect();
    let names: Vec<_> = ids.iter().map(String::as_str).collect();
    publish_at(log, &audience, MANY, &names, 0).await;
    let mut position = Position::START;
    let mut read = Vec::new();
    for (messages, more) in [(300, true), (10, false), (0, false)] {
        let mut budget = Budget::REPLY;
        let recovery = log.recover(&audience, MANY, &position, Reach::Log, &mut budget, at(1));
        let excerpt = excerpt(recovery.await.unwrap());
        assert_eq!((excerpt.messages.len(), excerpt.more), (messages, more));
        assert_eq!(excerpt.top, 310);
        read.extend(texts(&excerpt.messages));
        position = excerpt.position;
    }
    assert_eq!(read, ids);

    // Frames of 40 KiB: two are in a reply of 96 KiB. One of more than that is in one for itself.
    let audience = entity("large");
    for (id, length) in [("a", 40), ("b", 40), ("c", 40), ("d", 100), ("e", 1)] {
        let text = "x".repeat(length * 1024);
        let frame = RawValue::from_string(format!(r#"{{"text":"{text}"}}"#)).unwrap();
        let messages = [Message {
            event_id: id,
            frame: &frame,
            version: None,
        }];
        let published = publish(
            log,
            &audience,
            POLICY,
            &messages,
            at(0),
            Duration::ZERO,
            async |_| (),
        );
        published.await.unwrap().remove(0).unwrap();
    }
    let mut position = Position::START;
    let mut lengths = Vec::new();
    loop {
        let mut budget = Budget::REPLY;
        let since = Selection::Since(position.clone());
        let read = log.history(&audience, POLICY, &since, &mut budget, at(1));
        let excerpt = excerpt(read.await.unwrap());
        lengths.push(excerpt.messages.len());
        position = excerpt.position;
        if !excerpt.more {
            break;
        }
    }
    assert_eq!(lengths, [2, 1, 1, 1]);
    // A second log shares what the first left of the budget.
    let mut budget = Budget::REPLY;
    for messages in [2, 0] {
        let since = Selection::Since(Position::START);
        let read = log.history(&audience, POLICY, &since, &mut budget, at(1));
        let excerpt = excerpt(read.await.unwrap());
        assert_eq!((excerpt.messages.len(), excerpt.more), (messages, true));
        assert_eq!(excerpt.position.offset, messages as u64);
    }
}

pub async fn history_returns_the_messages_it_is_asked_for<R: LogRows>(log: &Log<R>) {
    let audience = entity("history");
    let history = async |selection: Selection, budget: Budget| {
        let mut budget = budget;
        let read = log.history(&audience, POLICY, &selection, &mut budget, at(60));
        answered(read.await.unwrap())
    };
    let reply = Budget::REPLY;
    for selection in [Selection::Last(5), Selection::Before(5, 5)] {
        assert_eq!(history(selection, reply).await, recovered(&[], 0, 0));
    }
    for (number, second) in (1..=5).zip([0, 0, 0, 55, 56]) {
        publish_one(log, &audience, &number.to_string(), second).await;
    }
    claim_only(log, &audience, "6", 57).await;
    publish_one(log, &audience, "7", 58).await;
    let since = Selection::Since(position(log, &audience, 3).await);
    for (selection, budget, expected) in [
        // Up to the message that is on its way.
        (Selection::Last(3), reply, recovered(&["5"], 5, 7)),
        (
            Selection::Last(9),
            reply,
            recovered(&["1", "2", "3", "4", "5"], 5, 7),
        ),
        // The newest that there is room for.
        (
            Selection::Last(9),
            reply.at_most(2),
            recovered(&["4", "5"], 5, 7),
        ),
        (Selection::Last(1), reply, recovered(&["7"], 7, 7)),
        (since.clone(), reply, recovered(&["4", "5"], 5, 7)),
        (since, reply.at_most(1), recovered(&["4"], 4, 7)),
        (Selection::Before(4, 2), reply, recovered(&["2", "3"], 3, 7)),
        (Selection::Before(2, 9), reply, recovered(&["1"], 1, 7)),
        (Selection::Before(1, 9), reply, recovered(&[], 0, 0)),
        (Selection::Before(99, 2), reply, recovered(&["7"], 7, 7)),
    ] {
        let answer = history(selection.clone(), budget).await;
        assert_eq!(answer, expected, "{selection:?}");
    }
    let mut budget = Budget::REPLY;
    let rewound = log.rewind(&audience, POLICY, 2, &mut budget, at(60));
    let rewound = rewound.await.unwrap();
    assert_eq!(texts(&rewound.messages), ["7"]);
    let rewound = log.rewind(&audience, POLICY, 4, &mut budget, at(60));
    let rewound = rewound.await.unwrap();
    assert_eq!(texts(&rewound.messages), ["4", "5"]);
    assert_eq!((rewound.position.offset, rewound.top), (5, 7));
    // Everything expired: the client is live from the end.
    let rewound = log.rewind(&audience, POLICY, 4, &mut budget, at(700));
    let rewound = rewound.await.unwrap();
    assert_eq!((rewound.messages.len(), rewound.position.offset), (0, 7));
}

fn excerpt(recovery: Recovery) -> Excerpt {
    match recovery {
        Recovery::Recovered(excerpt) => excerpt,
        Recovery::Lost(position) => panic!("lost: {position:?}"),
    }
}
