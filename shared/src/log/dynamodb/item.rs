//! The items of the history table and their keys.
//!
//! | row | pk | sk | attributes |
//! | --- | --- | --- | --- |
//! | head | `H#<audience>` | `H` | `epoch`, `top`, `madeAt`, `at`, `kept`, `expiresAt`, `e<slot>` and `w<slot>`, `restarted`; in mode `last` `frame`, `version` |
//! | message | `R#<audience>#<epoch>` | the offset in 16 digits | `frame`, `eventId`, `at`, `expiresAt` |
//! | filled hole | the same | the same | `gone`, `at`, `expiresAt` |
//!
//! `<audience>` is `entity#<entityId>`, `user#<userId>` or `everyone`. `madeAt` and `at` are in epoch
//! milliseconds, `expiresAt` in epoch seconds. A reader goes by `at`, the table by `expiresAt`. `kept` is the retention in seconds, 0 in mode `last`. `e<slot>`
//! has the 6 bytes of an event's tag and 4 of the time in epoch seconds, `w<slot>` the event's offset. With
//! every slot in use and an id of 256 bytes a head has less than 1 KB, one write unit.
//!
//! Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use serde_json::value::RawValue;

use crate::{
    audience::Audience,
    log::{Content, Epoch, Head, LogRow, Remembered, Retention, SLOTS},
};

/// The attributes of one item.
pub(super) type Item = HashMap<String, AttributeValue>;

// On every row: when its offset was claimed, and when it may go, the attribute of the time to live.
pub(super) const AT: &str = "at";
pub(super) const EXPIRES_AT: &str = "expiresAt";

// On a head.
pub(super) const EPOCH: &str = "epoch";
pub(super) const TOP: &str = "top";
pub(super) const MADE_AT: &str = "madeAt";
pub(super) const RETENTION: &str = "kept";
pub(super) const VERSION: &str = "version";
const RESTARTED: &str = "restarted";

/// On a message, and on a head in mode `last`.
pub(super) const FRAME: &str = "frame";

// On a message, and on a filled hole.
const EVENT_ID: &str = "eventId";
const GONE: &str = "gone";

/// The key of an item.
#[derive(Debug)]
pub(super) struct Key {
    pk: String,
    sk: String,
}

impl Key {
    /// Returns the key of a log's head.
    pub(super) fn head(audience: &Audience) -> Self {
        Self {
            pk: format!("H#{}", name(audience)),
            sk: "H".to_owned(),
        }
    }

    /// Returns the key of a row.
    pub(super) fn row(audience: &Audience, epoch: &Epoch, offset: u64) -> Self {
        Self {
            pk: rows_key(audience, epoch),
            sk: sort_key(offset),
        }
    }
}

impl From<Key> for Item {
    fn from(key: Key) -> Self {
        HashMap::from([
            ("pk".to_owned(), text(key.pk)),
            ("sk".to_owned(), text(key.sk)),
        ])
    }
}

/// Returns the partition key of a log's rows.
pub(super) fn rows_key(audience: &Audience, epoch: &Epoch) -> String {
    format!("R#{}#{epoch}", name(audience))
}

/// Returns the sort key of a row. Texts of the same length are in the order of their numbers.
pub(super) fn sort_key(offset: u64) -> String {
    format!("{offset:016}")
}

fn name(audience: &Audience) -> String {
    match audience {
        Audience::Everyone => "everyone".to_owned(),
        Audience::User(user) => format!("user#{user}"),
        Audience::Entity(entity) => format!("entity#{entity}"),
    }
}

/// The two attributes of a slot.
pub(super) struct SlotNames {
    pub(super) event: String,
    pub(super) offset: String,
}

/// Returns the attributes of a slot. The slot is one character, so that 32 of them fit into a kilobyte; no
/// attribute is `pk`, or one of the reserved words `if` and `on`.
///
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html>
pub(super) fn slot_names(slot: u8) -> SlotNames {
    let digit = char::from_digit(u32::from(slot), u32::from(SLOTS));
    let digit = digit.expect("a slot below 32");
    SlotNames {
        event: format!("e{digit}"),
        offset: format!("w{digit}"),
    }
}

/// Returns the item of a head.
pub(super) fn from_head(audience: &Audience, head: &Head) -> Item {
    let mut item = Item::from(Key::head(audience));
    let attributes = [
        (EPOCH, Some(text(head.epoch.as_str()))),
        (TOP, Some(number(head.top))),
        (MADE_AT, Some(number(head.made_at.as_millis()))),
        (AT, Some(number(head.at.as_millis()))),
        (EXPIRES_AT, Some(number(head.expires_at().as_secs()))),
        (RETENTION, Some(retention(head.retention))),
        (
            RESTARTED,
            head.restarted.then_some(AttributeValue::Bool(true)),
        ),
        (VERSION, head.version.map(number)),
        (FRAME, head.frame.as_deref().map(|frame| text(frame.get()))),
    ];
    insert(&mut item, attributes);
    for (&slot, event) in &head.slots {
        let names = slot_names(slot);
        item.insert(names.event, remembered(event.bits, event.at));
        item.insert(names.offset, number(event.offset));
    }
    item
}

/// Reads a head. `None` if it is not one.
pub(super) fn head(item: &Item) -> Option<Head> {
    let frame = item.get(FRAME).map(raw);
    Some(Head {
        epoch: Epoch::new(item.get(EPOCH)?.as_s().ok()?).ok()?,
        top: number_of(item, TOP)?,
        made_at: Duration::from_millis(number_of(item, MADE_AT)?),
        at: Duration::from_millis(number_of(item, AT)?),
        retention: match number_of(item, RETENTION)? {
            0 => Retention::Last,
            seconds => Retention::Seconds(seconds),
        },
        restarted: item.contains_key(RESTARTED),
        slots: (0..SLOTS)
            .filter_map(|slot| Some((slot, slot_of(item, slot)?)))
            .collect::<BTreeMap<_, _>>(),
        version: number_of(item, VERSION),
        frame: match frame {
            None => None,
            Some(frame) => Some(frame?),
        },
    })
}

fn slot_of(item: &Item, slot: u8) -> Option<Remembered> {
    let names = slot_names(slot);
    let event = item.get(&names.event)?.as_b().ok()?.as_ref();
    let (bits, at) = event.split_first_chunk()?;
    let at = u32::from_be_bytes(at.try_into().ok()?);
    Some(Remembered {
        bits: *bits,
        offset: number_of(item, &names.offset)?,
        at: Duration::from_secs(at.into()),
    })
}

/// Returns the item of a row.
pub(super) fn from_row(
    audience: &Audience,
    epoch: &Epoch,
    row: &LogRow,
    kept_until: Duration,
) -> Item {
    let mut item = Item::from(Key::row(audience, epoch, row.offset));
    let (event_id, frame) = match &row.content {
        Content::Message { event_id, frame } => (Some(event_id), Some(frame)),
        Content::Gone => (None, None),
    };
    let attributes = [
        (AT, Some(number(row.at.as_millis()))),
        (EXPIRES_AT, Some(number(kept_until.as_secs()))),
        (EVENT_ID, event_id.map(text)),
        (FRAME, frame.map(|frame| text(frame.get()))),
        (GONE, frame.is_none().then_some(AttributeValue::Bool(true))),
    ];
    insert(&mut item, attributes);
    item
}

/// Reads a row. `None` if it is not one.
pub(super) fn row(item: &Item) -> Option<LogRow> {
    let content = match item.get(FRAME) {
        None => Content::Gone,
        Some(frame) => Content::Message {
            event_id: item.get(EVENT_ID)?.as_s().ok()?.clone(),
            frame: raw(frame)?,
        },
    };
    Some(LogRow {
        offset: offset(item)?,
        at: Duration::from_millis(number_of(item, AT)?),
        content,
    })
}

/// Returns the offset of a row, or of its key.
pub(super) fn offset(item: &Item) -> Option<u64> {
    item.get("sk")?.as_s().ok()?.parse().ok()
}

/// Returns a slot's event: its tag, and when it claimed its offset.
pub(super) fn remembered(bits: [u8; 6], at: Duration) -> AttributeValue {
    let at = u32::try_from(at.as_secs()).unwrap_or(u32::MAX);
    binary([&bits[..], &at.to_be_bytes()].concat())
}

pub(super) fn retention(retention: Retention) -> AttributeValue {
    number(match retention {
        Retention::Seconds(seconds) => seconds,
        Retention::Last => 0,
    })
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn binary(value: Vec<u8>) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

fn number_of(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn raw(value: &AttributeValue) -> Option<Box<RawValue>> {
    RawValue::from_string(value.as_s().ok()?.clone()).ok()
}

fn insert<const N: usize>(item: &mut Item, attributes: [(&str, Option<AttributeValue>); N]) {
    for (name, value) in attributes {
        if let Some(value) = value {
            item.insert(name.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{EntityId, UserId};

    fn epoch() -> Epoch {
        Epoch::new("k3J9x2Qa").expect("an epoch")
    }

    fn entity(text: &str) -> Audience {
        Audience::Entity(EntityId::new(text).expect("an id"))
    }

    /// A head with every slot in use.
    fn full_head() -> Head {
        let at = Duration::from_millis(1_764_000_000_123);
        let remembered = |slot| Remembered {
            bits: [slot; 6],
            offset: 9_999_999_900 + u64::from(slot),
            at: Duration::from_secs(at.as_secs()),
        };
        Head {
            epoch: epoch(),
            top: 9_999_999_999,
            made_at: at,
            at,
            retention: Retention::Seconds(604_800),
            restarted: true,
            slots: (0..SLOTS).map(|slot| (slot, remembered(slot))).collect(),
            version: None,
            frame: None,
        }
    }

    #[test]
    fn keys_are_as_documented() {
        let user = UserId::new("alice").expect("an id");
        for (key, pk, sk) in [
            (Key::head(&entity("a#b")), "H#entity#a#b", "H"),
            (Key::head(&Audience::User(user)), "H#user#alice", "H"),
            (
                Key::row(&Audience::Everyone, &epoch(), 42),
                "R#everyone#k3J9x2Qa",
                "0000000000000042",
            ),
        ] {
            assert_eq!((key.pk.as_str(), key.sk.as_str()), (pk, sk));
        }
        assert_eq!(slot_names(31).event, "ev");
    }

    #[test]
    fn head_is_read_as_it_was_written() {
        let head = full_head();
        let item = from_head(&entity("order-1"), &head);
        let read = super::head(&item).expect("a head");
        assert_eq!(format!("{read:?}"), format!("{head:?}"));
        let last = Head {
            retention: Retention::Last,
            restarted: false,
            version: Some(7),
            frame: RawValue::from_string(r#"{"type":"a"}"#.to_owned()).ok(),
            ..head
        };
        let read = super::head(&from_head(&entity("order-1"), &last)).expect("a head");
        assert_eq!(format!("{read:?}"), format!("{last:?}"));
    }

    #[test]
    fn row_is_read_as_it_was_written() {
        let frame = RawValue::from_string(r#"{"type":"a"}"#.to_owned()).expect("JSON");
        let event_id = "event-1".to_owned();
        for content in [Content::Message { event_id, frame }, Content::Gone] {
            let row = LogRow {
                offset: 42,
                at: Duration::from_millis(1_764_000_000_123),
                content,
            };
            let item = from_row(&entity("order-1"), &epoch(), &row, row.expires_at(600));
            assert_eq!(number_of(&item, EXPIRES_AT), Some(1_764_000_600));
            let read = super::row(&item).expect("a row");
            assert_eq!(format!("{read:?}"), format!("{row:?}"));
        }
    }

    /// Returns the size of an item by DynamoDB's rules: names and texts by their bytes, a number by half its
    /// digits and one, a flag by one.
    ///
    /// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
    fn size(item: &Item) -> usize {
        let value = |value: &AttributeValue| match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::B(bytes) => bytes.as_ref().len(),
            AttributeValue::N(number) => number.len().div_ceil(2) + 1,
            _ => 1,
        };
        item.iter()
            .map(|(name, attribute)| name.len() + value(attribute))
            .sum()
    }

    #[test]
    fn head_with_every_slot_and_the_longest_id_is_one_write_unit() {
        let item = from_head(&entity(&"x".repeat(EntityId::LIMIT)), &full_head());
        assert!(size(&item) <= 1_024, "{} bytes", size(&item));
    }
}
