//! The short form in which a head remembers an event id.

/// The slots of a head. A slot has the last event whose tag falls into it.
pub const SLOTS: u8 = 32;

/// The slots of a head in mode `last`: it has one message at a time, so fewer events are in flight.
const SLOTS_OF_LAST: u8 = 8;

/// An event id, shortened: 48 bits and the slot that they are remembered in.
///
/// Two ids may have the same tag, one pair in 2^53. In a log this costs one offset, since the rows have
/// whole ids and an event that finds another's row claims a new offset. In mode `last` it drops one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTag {
    /// The slot, below [`SLOTS`].
    pub slot: u8,
    /// The bits.
    pub bits: [u8; 6],
}

impl EventTag {
    /// Returns the tag of an event id. It is stored, so the function must never change.
    pub fn of(event_id: &str) -> Self {
        let [slot, _, bits @ ..] = mixed(fnv_1a(event_id)).to_be_bytes();
        Self {
            slot: slot % SLOTS,
            bits,
        }
    }

    /// Returns the same tag for a head in mode `last`, which has fewer slots to leave room for its frame.
    pub(super) fn of_last(event_id: &str) -> Self {
        let tag = Self::of(event_id);
        Self {
            slot: tag.slot % SLOTS_OF_LAST,
            ..tag
        }
    }
}

/// FNV-1a of 64 bits.
fn fnv_1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The finalizer of MurmurHash3: FNV-1a alone leaves the high bits of ids that end differently nearly the
/// same.
fn mixed(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn tag_of_an_id_never_changes() {
        let tag = EventTag::of("6a7e8feb-b491-4cf7-a9f1-bf3703467718");
        assert_eq!(
            (tag.slot, tag.bits),
            (4, [0x88, 0x56, 0xb8, 0x31, 0xf7, 0x78])
        );
    }

    #[test]
    fn ids_that_differ_in_their_end_spread_over_the_slots() {
        let tags: BTreeSet<_> = (0..3_200)
            .map(|number| EventTag::of(&format!("order-1-{number}")))
            .collect();
        assert_eq!(tags.len(), 3_200);
        for slot in 0..SLOTS {
            let in_slot = tags.iter().filter(|tag| tag.slot == slot).count();
            assert!((50..160).contains(&in_slot), "{slot}: {in_slot}");
        }
    }
}
