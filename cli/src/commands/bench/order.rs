//! The order in which messages arrive at their subscribers, by their positions in the logs.
//!
//! The client sorts messages and drops repeats of a position before it hands them over. So no message is out of order
//! unless the client has an error, and a message that is repeated has a second position: the log had forgotten it.

use herald_client::{Epoch, Position};

use super::{
    account::Arrival,
    bit_set::BitSet,
    plan::{Plan, Publisher},
};

/// The order of the messages of a run.
pub(super) struct Order {
    plan: Plan,
    entities: Vec<EntityOrder>,
    /// `None` for a subscription at which no message with a position arrived.
    subscriptions: Vec<Option<Seen>>,
}

/// The counts of one entity with a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct EntityOrder {
    /// True if a message with a position arrived.
    pub(super) has_log: bool,
    /// Further arrivals of a message at a subscriber.
    pub(super) repeated: u64,
    /// Arrivals below an offset that had arrived at the same subscriber.
    pub(super) out_of_order: u64,
    /// The times that a client reported that messages may be lost.
    pub(super) reported_lost: u64,
    /// Offsets of finished epochs that did not arrive.
    missing: u64,
}

/// The messages with positions that arrived at one subscription.
struct Seen {
    epoch: Option<Epoch>,
    /// The highest offset.
    top: u64,
    arrived: BitSet,
}

impl Order {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            plan,
            entities: vec![EntityOrder::default(); plan.entities],
            subscriptions: (0..plan.connections * plan.subscriptions)
                .map(|_| None)
                .collect(),
        }
    }

    /// Records the arrival of a message with this position.
    pub(super) fn arrived(&mut self, arrival: Arrival, position: &Position) {
        let entity = &mut self.entities[arrival.entity];
        entity.has_log = true;
        entity.repeated += u64::from(arrival.is_repeat);
        let subscription = &mut self.subscriptions[arrival.subscription];
        let is_same_log = |seen: &Seen| seen.epoch == position.epoch;
        if !subscription.as_ref().is_some_and(is_same_log) {
            entity.missing += subscription.as_ref().map_or(0, Seen::missing);
            *subscription = None;
        }
        let seen = subscription.get_or_insert_with(|| Seen {
            epoch: position.epoch.clone(),
            top: 0,
            arrived: BitSet::default(),
        });
        entity.out_of_order += u64::from(position.offset < seen.top);
        seen.top = seen.top.max(position.offset);
        // An offset beyond the memory is none that a run can reach.
        seen.arrived
            .insert(usize::try_from(position.offset).unwrap_or_default());
    }

    /// Records that a client reported that messages of an entity may be lost.
    pub(super) fn reported_lost(&mut self, entity: usize) {
        self.entities[entity].reported_lost += 1;
    }

    /// Returns the counts of each entity.
    pub(super) fn entities(&self) -> &[EntityOrder] {
        &self.entities
    }

    /// Returns the offsets up to the highest of each subscription that did not arrive there. An entity is the run's
    /// own, so its log begins with offset 1. `None` if clients publish: they do not receive their own messages.
    pub(super) fn missing(&self) -> Option<u64> {
        let of_entities = self.entities.iter().map(|entity| entity.missing);
        let of_subscriptions = self.subscriptions.iter().flatten().map(Seen::missing);
        let missing = of_entities.chain(of_subscriptions).sum();
        (self.plan.publisher == Publisher::Bus).then_some(missing)
    }
}

impl Seen {
    fn missing(&self) -> u64 {
        self.top - self.arrived.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PLAN: Plan = Plan {
        connections: 2,
        entities: 2,
        subscriptions: 1,
        rate: 1.0,
        duration: Duration::from_secs(1),
        publisher: Publisher::Bus,
    };

    /// Returns the order after arrivals at the first subscription, each with its epoch, offset and repetition.
    fn order(plan: Plan, arrivals: &[(&str, u64, bool)]) -> Order {
        let mut order = Order::new(plan);
        for (epoch, offset, is_repeat) in arrivals {
            let position = serde_json::json!({"epoch": epoch, "offset": offset});
            let position = serde_json::from_value(position).expect("a position");
            let arrival = Arrival {
                entity: 0,
                subscription: 0,
                is_repeat: *is_repeat,
            };
            order.arrived(arrival, &position);
        }
        order
    }

    #[test]
    fn positions_reveal_reordered_repeated_and_missing_messages() {
        const A: &str = "aaaaaaaa";
        const B: &str = "bbbbbbbb";
        for (arrivals, out_of_order, repeated, missing) in [
            (&[(A, 1, false), (A, 2, false), (A, 3, false)][..], 0, 0, 0),
            (&[(A, 2, false), (A, 1, false)], 1, 0, 0),
            (&[(A, 1, false), (A, 1, true), (A, 2, false)], 0, 1, 0),
            (&[(A, 1, false), (A, 2, true), (A, 3, false)], 0, 1, 0),
            (&[(A, 1, false), (A, 4, false)], 0, 0, 2),
            (&[(A, 3, false), (B, 1, false), (B, 3, false)], 0, 0, 3),
        ] {
            let order = order(PLAN, arrivals);
            let entity = order.entities()[0];
            assert!(entity.has_log);
            assert_eq!(entity.out_of_order, out_of_order, "{arrivals:?}");
            assert_eq!(entity.repeated, repeated, "{arrivals:?}");
            assert_eq!(order.missing(), Some(missing), "{arrivals:?}");
            assert_eq!(order.entities()[1], EntityOrder::default());
        }
    }

    #[test]
    fn missing_offsets_are_unknown_if_clients_publish() {
        let publisher = Publisher::Clients;
        let order = order(Plan { publisher, ..PLAN }, &[("aaaaaaaa", 2, false)]);
        assert_eq!(order.missing(), None);
    }
}
