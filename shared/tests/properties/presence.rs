//! The parameter `Presence`, the info of members, and flushes on the queue.

use herald_shared::{
    ids::EntityId,
    presence::{Flush, FlushReason, Info, Presence},
    push::{Push, QueueMessage, Received},
};
use proptest::prelude::*;
use serde_json::Value;

use crate::{edits::edited, json, sentences::is_described};

proptest! {
    #[test]
    fn any_text_is_policies_or_refused_with_message(text in edited(policies())) {
        match Presence::from_json(&text) {
            Ok(presence) => drop(presence.is_off()),
            Err(error) => prop_assert!(is_described(&error), "{error:?}"),
        }
    }

    #[test]
    fn info_is_the_same_value_without_white_space(text in json::value()) {
        let info = Info::from_json(&text);
        let Ok(value) = serde_json::from_str::<Value>(&text) else { return Ok(()) };
        match info {
            Ok(info) => {
                prop_assert!(info.as_json().len() <= 256);
                prop_assert_eq!(serde_json::from_str::<Value>(info.as_json())?, value);
                prop_assert_eq!(Info::from_json(info.as_json())?, info);
            }
            Err(error) => prop_assert!(is_described(&error), "{error:?}"),
        }
    }

    #[test]
    fn flush_survives_the_queue_and_is_no_push(id in "\\PC{1,40}", at in any::<u64>(), changes in any::<bool>()) {
        let flush = Flush {
            entity_id: EntityId::new(id)?,
            reason: if changes { FlushReason::Changes } else { FlushReason::Expiry },
            at,
        };
        let body = flush.to_queue_body();
        prop_assert!(Push::from_queue_body(&body).is_err());
        match QueueMessage::from_body(&body, Received::default())? {
            QueueMessage::Flush(read) => prop_assert_eq!(read, flush),
            QueueMessage::Push(push) => prop_assert!(false, "{push:?}"),
        }
    }

    #[test]
    fn damaged_flush_is_read_or_refused_with_message(text in edited(flush())) {
        if let Err(error) = QueueMessage::from_body(&text, Received::default()) {
            prop_assert!(is_described(&error), "{error:?}");
        }
    }
}

fn policies() -> impl Strategy<Value = String> {
    let policy = prop_oneof![
        Just("null".to_owned()),
        (any::<u8>(), any::<u16>()).prop_map(|(interval, members)| format!(
            r#"{{"interval":{interval},"members":{members}}}"#
        )),
    ];
    ("[a*:]{0,6}", policy).prop_map(|(pattern, policy)| format!(r#"{{"{pattern}":{policy}}}"#))
}

fn flush() -> impl Strategy<Value = String> {
    any::<u64>().prop_map(|at| {
        format!(r#"{{"flush":{{"entityId":"room-1","reason":"changes","at":{at}}}}}"#)
    })
}
