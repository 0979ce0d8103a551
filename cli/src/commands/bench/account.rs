//! The counts and times of a run. It reads no clock: the caller passes the time.
//!
//! A delivery is one event at one connection that is subscribed to its entity. Its first arrival counts as delivered, each
//! further arrival as a repeat, and a missing arrival as lost.

use std::{ops::Range, time::Duration};

use hdrhistogram::Histogram;

use super::{bit_set::BitSet, plan::Plan};

/// The account of a run. Times are relative to its start.
pub(super) struct Account {
    plan: Plan,
    /// The number of open subscribers of each entity.
    audiences: Vec<u32>,
    /// True for each connection that is open.
    open: Vec<bool>,
    events: Vec<Event>,
    /// The events that arrived, for each subscription of each connection.
    arrived: Vec<BitSet>,
    totals: Totals,
    latencies: Histogram<u64>,
}

/// The totals of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Accepted events.
    pub(super) published: u64,
    /// Refused events.
    pub(super) refused: u64,
    /// Deliveries that the published events should cause.
    pub(super) expected: u64,
    /// Expected deliveries that arrived.
    pub(super) delivered: u64,
    /// Arrivals beyond the first of a delivery.
    pub(super) repeated: u64,
    /// Arrivals at a connection that should not receive them.
    pub(super) unexpected: u64,
}

impl Totals {
    /// Returns the expected deliveries that have not arrived.
    pub(super) fn lost(&self) -> u64 {
        self.expected - self.delivered
    }
}

/// An arrival of an event at a connection that is subscribed to its entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) entity: usize,
    /// The number of the subscription in the plan.
    pub(super) subscription: usize,
    /// True if the event arrived there before.
    pub(super) is_repeat: bool,
}

/// The deliveries that connections missed while they were away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missed {
    pub(super) expected: u64,
    /// Those that arrived later.
    pub(super) delivered: u64,
}

/// One event.
struct Event {
    published_at: Duration,
    state: EventState,
    delivered: u32,
    first_at: Duration,
    last_at: Duration,
}

/// The result of publishing an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EventState {
    Pending,
    Accepted,
    Refused,
}

impl Account {
    /// Makes the account of a run. `open` is true for each connection of the plan that is open, with all its subscriptions.
    pub(super) fn new(plan: Plan, open: Vec<bool>) -> Self {
        let mut audiences = vec![0; plan.entities];
        for connection in (0..plan.connections).filter(|connection| open[*connection]) {
            for entity in plan.entities_of(connection) {
                audiences[entity] += 1;
            }
        }
        Self {
            plan,
            audiences,
            open,
            events: Vec::new(),
            arrived: vec![BitSet::default(); plan.connections * plan.subscriptions],
            totals: Totals::default(),
            latencies: histogram(),
        }
    }

    /// Records that the next event is about to be published.
    pub(super) fn publishing(&mut self, at: Duration) {
        self.events.push(Event {
            published_at: at,
            state: EventState::Pending,
            delivered: 0,
            first_at: at,
            last_at: at,
        });
    }

    /// Records that an event was accepted.
    pub(super) fn accepted(&mut self, event: usize) {
        if self.events[event].state == EventState::Pending {
            self.totals.published += 1;
            self.totals.expected += u64::from(self.audience(event));
            self.events[event].state = EventState::Accepted;
        }
    }

    /// Records that an event was refused, or that its reply is unknown. An event that arrives nevertheless counts as
    /// accepted.
    pub(super) fn refused(&mut self, event: usize) {
        if self.events[event].state == EventState::Pending {
            self.totals.refused += 1;
            self.events[event].state = EventState::Refused;
        }
    }

    /// Records an arrival at a connection, and returns it. `event` is `None` if the push belongs to no event of this
    /// run. Returns `None` for an arrival that is unexpected.
    pub(super) fn arrived(
        &mut self,
        connection: usize,
        event: Option<usize>,
        at: Duration,
    ) -> Option<Arrival> {
        let expected = event.and_then(|event| Some((event, self.delivery(connection, event)?)));
        let Some((event, subscription)) = expected else {
            self.totals.unexpected += 1;
            return None;
        };
        let arrival = Arrival {
            entity: self.plan.entity_of(event),
            subscription,
            is_repeat: !self.arrived[subscription].insert(event / self.plan.entities),
        };
        if arrival.is_repeat {
            self.totals.repeated += 1;
            return Some(arrival);
        }
        self.accepted_by_arrival(event);
        self.totals.delivered += 1;
        let event = &mut self.events[event];
        if event.delivered == 0 {
            event.first_at = at;
        }
        event.delivered += 1;
        event.last_at = event.last_at.max(at);
        record(&mut self.latencies, at.saturating_sub(event.published_at));
        Some(arrival)
    }

    /// Returns the totals so far.
    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    /// Returns the expected deliveries of each entity that have not arrived.
    pub(super) fn lost_by_entity(&self) -> Vec<u64> {
        let mut lost = vec![0; self.plan.entities];
        for (number, event) in self.events.iter().enumerate() {
            if event.state == EventState::Accepted {
                lost[self.plan.entity_of(number)] +=
                    u64::from(self.audience(number) - event.delivered);
            }
        }
        lost
    }

    /// Returns the deliveries of the events that were published while a connection was away.
    pub(super) fn missed(&self, away: impl Fn(usize) -> Option<Range<Duration>>) -> Missed {
        let mut missed = Missed::default();
        for connection in 0..self.plan.connections {
            let Some(away) = away(connection) else {
                continue;
            };
            for entity in self.plan.entities_of(connection) {
                for number in (entity..self.events.len()).step_by(self.plan.entities) {
                    let event = &self.events[number];
                    let was_missed =
                        event.state == EventState::Accepted && away.contains(&event.published_at);
                    let subscription = self.delivery(connection, number);
                    if let Some(subscription) = subscription.filter(|_| was_missed) {
                        let arrived = &self.arrived[subscription];
                        missed.expected += 1;
                        missed.delivered +=
                            u64::from(arrived.contains(number / self.plan.entities));
                    }
                }
            }
        }
        missed
    }

    /// Returns true if all replies and all expected deliveries have arrived.
    pub(super) fn is_complete(&self) -> bool {
        let replied = self.totals.published + self.totals.refused;
        replied == self.events.len() as u64 && self.totals.lost() == 0
    }

    /// Returns the times from publishing to arrival in microseconds, one value for each delivery.
    pub(super) fn latencies(&self) -> &Histogram<u64> {
        &self.latencies
    }

    /// Returns the times from the first to the last arrival in microseconds, one value for each event with several
    /// deliveries.
    pub(super) fn spreads(&self) -> Histogram<u64> {
        let mut spreads = histogram();
        for event in self.events.iter().filter(|event| event.delivered > 1) {
            record(&mut spreads, event.last_at - event.first_at);
        }
        spreads
    }

    /// Returns the time from the first to the last published event.
    pub(super) fn publishing_time(&self) -> Duration {
        match &self.events[..] {
            [first, .., last] => last.published_at - first.published_at,
            _ => Duration::ZERO,
        }
    }

    /// Returns the time from the first published event to the last delivery.
    pub(super) fn delivery_time(&self) -> Duration {
        let first = self.events.first().map(|event| event.published_at);
        let last = self.events.iter().map(|event| event.last_at).max();
        last.unwrap_or_default()
            .saturating_sub(first.unwrap_or_default())
    }

    /// Returns the number of recipients of an event: the open subscribers of its entity except its sender.
    fn audience(&self, event: usize) -> u32 {
        let entity = self.plan.entity_of(event);
        let sender = self.plan.sender_of(event);
        let sender_subscribes = sender.is_some_and(|sender| {
            self.open[sender] && self.plan.subscription(sender, entity).is_some()
        });
        self.audiences[entity] - u32::from(sender_subscribes)
    }

    /// Returns the subscription through which a connection receives an event. `None` if it should not receive it.
    fn delivery(&self, connection: usize, event: usize) -> Option<usize> {
        let is_recipient = event < self.events.len()
            && self.open[connection]
            && self.plan.sender_of(event) != Some(connection);
        let entity = self.plan.entity_of(event);
        self.plan
            .subscription(connection, entity)
            .filter(|_| is_recipient)
    }

    /// Counts an event that arrived as accepted, even after an error: its reply may have been lost.
    fn accepted_by_arrival(&mut self, event: usize) {
        if self.events[event].state == EventState::Refused {
            self.totals.refused -= 1;
            self.events[event].state = EventState::Pending;
        }
        self.accepted(event);
    }
}

/// Makes a histogram of microseconds with three significant digits. Times above a day count as a day.
pub(super) fn histogram() -> Histogram<u64> {
    const DAY: u64 = 24 * 60 * 60 * 1_000_000;
    Histogram::new_with_bounds(1, DAY, 3).expect("valid bounds and digits")
}

/// Records a time in microseconds.
pub(super) fn record(histogram: &mut Histogram<u64>, time: Duration) {
    let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    histogram.saturating_record(microseconds);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::plan::Publisher;

    /// Connections 0, 1 and 2; entities 0 and 1; connection 0 and 2 subscribe to 0, connection 1 to 1.
    const PLAN: Plan = Plan {
        connections: 3,
        entities: 2,
        subscriptions: 1,
        rate: 1.0,
        duration: Duration::from_secs(200),
        publisher: Publisher::Bus,
    };

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// Makes an account of accepted events that were published a second apart.
    fn account(plan: Plan, events: usize) -> Account {
        let mut account = Account::new(plan, vec![true; plan.connections]);
        for event in 0..events {
            account.publishing(at(1000 * event as u64));
            account.accepted(event);
        }
        account
    }

    #[test]
    fn first_arrival_is_a_delivery_and_further_ones_are_repeats() {
        let mut account = account(PLAN, 2);
        assert_eq!(account.totals().expected, 3);
        account.arrived(0, Some(0), at(5));
        account.arrived(0, Some(0), at(6));
        account.arrived(2, Some(0), at(9));
        assert!(!account.is_complete());
        account.arrived(1, Some(1), at(1010));
        assert!(account.is_complete());
        account.arrived(1, Some(1), at(1011));
        let expected = Totals {
            published: 2,
            expected: 3,
            delivered: 3,
            repeated: 2,
            ..Totals::default()
        };
        assert_eq!(account.totals(), expected);
        assert_eq!(account.totals().lost(), 0);
        assert_eq!(account.latencies().len(), 3);
        assert_eq!(account.delivery_time(), at(1010));
        assert_eq!(account.publishing_time(), at(1000));
    }

    #[test]
    fn missing_arrivals_are_lost() {
        let mut account = account(PLAN, 4);
        account.arrived(2, Some(2), at(2001));
        let totals = account.totals();
        assert_eq!(
            (totals.expected, totals.delivered, totals.lost()),
            (6, 1, 5)
        );
    }

    #[test]
    fn missed_deliveries_are_those_of_events_while_a_connection_was_away() {
        // Events 0, 2 and 4 are for the connections 0 and 2, events 1 and 3 for connection 1.
        let mut account = account(PLAN, 5);
        account.arrived(0, Some(2), at(2500));
        account.arrived(2, Some(0), at(1));
        let away = |connection| match connection {
            0 => Some(at(1500)..at(3500)),
            1 => Some(at(1000)..Duration::MAX),
            _ => None,
        };
        let missed = account.missed(away);
        assert_eq!((missed.expected, missed.delivered), (3, 1));
        assert_eq!(account.lost_by_entity(), [4, 2]);
    }

    #[test]
    fn arrival_at_a_connection_that_is_no_recipient_is_unexpected() {
        let mut account = account(PLAN, 2);
        for (connection, event) in [(0, Some(1)), (1, Some(0)), (0, Some(2)), (0, None)] {
            account.arrived(connection, event, at(5));
        }
        let totals = account.totals();
        assert_eq!((totals.unexpected, totals.delivered), (4, 0));
    }

    #[test]
    fn refused_event_expects_no_deliveries_unless_it_arrives() {
        let mut account = Account::new(PLAN, vec![true; 3]);
        for event in 0..2 {
            account.publishing(at(0));
            account.refused(event);
        }
        assert!(account.is_complete());
        assert_eq!(account.totals().expected, 0);
        account.arrived(0, Some(0), at(1));
        let totals = account.totals();
        assert_eq!((totals.published, totals.refused), (1, 1));
        assert_eq!((totals.expected, totals.lost()), (2, 1));
        // The push arrives before the reply.
        account.publishing(at(2));
        account.arrived(0, Some(2), at(3));
        account.refused(2);
        assert_eq!(account.totals().published, 2);
    }

    #[test]
    fn account_is_incomplete_while_a_reply_is_missing() {
        let mut account = Account::new(PLAN, vec![true; 3]);
        account.publishing(at(0));
        assert!(!account.is_complete());
    }

    #[test]
    fn connection_that_is_not_open_expects_no_deliveries() {
        let mut account = Account::new(PLAN, vec![true, false, false]);
        for event in 0..2 {
            account.publishing(at(0));
            account.accepted(event);
        }
        assert_eq!(account.totals().expected, 1);
        account.arrived(2, Some(0), at(1));
        assert_eq!(account.totals().unexpected, 1);
    }

    #[test]
    fn sender_is_no_recipient_of_its_own_message() {
        let by_clients = Plan {
            publisher: Publisher::Clients,
            ..PLAN
        };
        // The senders are 0, 1, 2 and 0, and the entities 0, 1, 0 and 1: the second message has no recipient.
        let mut account = account(by_clients, 4);
        assert_eq!(account.totals().expected, 3);
        account.arrived(0, Some(0), at(1));
        assert_eq!(account.totals().unexpected, 1);
        account.arrived(2, Some(0), at(1));
        account.arrived(0, Some(2), at(2001));
        account.arrived(1, Some(3), at(3001));
        assert!(account.is_complete());
    }

    #[test]
    fn times_are_measured_on_deliveries_without_repeats() {
        let mut account = account(PLAN, 1);
        account.arrived(2, Some(0), at(20));
        account.arrived(0, Some(0), at(50));
        account.arrived(0, Some(0), at(9000));
        let milliseconds = |microseconds: u64| (microseconds + 500) / 1000;
        assert_eq!(milliseconds(account.latencies().min()), 20);
        assert_eq!(milliseconds(account.latencies().max()), 50);
        assert_eq!(milliseconds(account.spreads().max()), 30);
        assert_eq!(account.delivery_time(), at(50));
    }
}
