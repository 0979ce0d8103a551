//! What was published and what arrived, added up: pure, and told the time.
//!
//! A delivery is one event at one connection that is subscribed to its entity. The first arrival of it counts as
//! delivered, every other one as a repeat, and one that never came as lost.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::plan::Plan;

/// The account of a run. Times are since its start.
pub(super) struct Account {
    plan: Plan,
    /// How many open connections are subscribed to each entity.
    audiences: Vec<u32>,
    /// Whether each connection takes part.
    open: Vec<bool>,
    events: Vec<Event>,
    /// For each subscription of each connection, which of its entity's events arrived.
    arrived: Vec<Marks>,
    totals: Totals,
    latencies: Histogram<u64>,
}

/// The sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Events that were taken.
    pub(super) published: u64,
    /// Events that were not.
    pub(super) refused: u64,
    /// Deliveries that the published events ask for.
    pub(super) expected: u64,
    /// Those of them that happened.
    pub(super) delivered: u64,
    /// Arrivals beyond the first of a delivery.
    pub(super) repeated: u64,
    /// Arrivals that were for nobody here, or not for that connection.
    pub(super) unexpected: u64,
}

impl Totals {
    /// Deliveries that did not happen, or not yet.
    pub(super) fn lost(&self) -> u64 {
        self.expected - self.delivered
    }
}

/// One event.
struct Event {
    published_at: Duration,
    outcome: Outcome,
    delivered: u32,
    first_at: Duration,
    last_at: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Unknown,
    Taken,
    Refused,
}

impl Account {
    /// The account of a run in which these connections of the plan are open, with all their subscriptions.
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
            arrived: vec![Marks::default(); plan.connections * plan.subscriptions],
            totals: Totals::default(),
            latencies: histogram(),
        }
    }

    /// The next event is about to be published.
    pub(super) fn publishing(&mut self, at: Duration) {
        self.events.push(Event {
            published_at: at,
            outcome: Outcome::Unknown,
            delivered: 0,
            first_at: at,
            last_at: at,
        });
    }

    /// An event was taken.
    pub(super) fn taken(&mut self, event: usize) {
        if self.events[event].outcome == Outcome::Unknown {
            self.totals.published += 1;
            self.totals.expected += u64::from(self.audience(event));
            self.events[event].outcome = Outcome::Taken;
        }
    }

    /// An event was not taken, or nobody knows. If it has arrived all the same, it was.
    pub(super) fn refused(&mut self, event: usize) {
        if self.events[event].outcome == Outcome::Unknown {
            self.totals.refused += 1;
            self.events[event].outcome = Outcome::Refused;
        }
    }

    /// An event arrived at a connection; none: something that is no event of this run.
    pub(super) fn arrived(&mut self, connection: usize, event: Option<usize>, at: Duration) {
        let expected = event.and_then(|event| Some((event, self.delivery(connection, event)?)));
        let Some((event, subscription)) = expected else {
            self.totals.unexpected += 1;
            return;
        };
        if !self.arrived[subscription].set(event / self.plan.entities) {
            self.totals.repeated += 1;
            return;
        }
        self.was_taken_after_all(event);
        self.totals.delivered += 1;
        let event = &mut self.events[event];
        if event.delivered == 0 {
            event.first_at = at;
        }
        event.delivered += 1;
        event.last_at = event.last_at.max(at);
        record(&mut self.latencies, at.saturating_sub(event.published_at));
    }

    /// The sums so far.
    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    /// Whether everything that can be expected has arrived.
    pub(super) fn is_complete(&self) -> bool {
        let answered = self.totals.published + self.totals.refused;
        answered == self.events.len() as u64 && self.totals.lost() == 0
    }

    /// From an event's publishing to its arrival at a connection, in microseconds: one value for each
    /// delivery.
    pub(super) fn latencies(&self) -> &Histogram<u64> {
        &self.latencies
    }

    /// From an event's first arrival to its last one, in microseconds: one value for each event that was
    /// delivered to several.
    pub(super) fn spreads(&self) -> Histogram<u64> {
        let mut spreads = histogram();
        for event in self.events.iter().filter(|event| event.delivered > 1) {
            record(&mut spreads, event.last_at - event.first_at);
        }
        spreads
    }

    /// From the first event to the last one published; none before the second.
    pub(super) fn publishing_took(&self) -> Duration {
        match &self.events[..] {
            [first, .., last] => last.published_at - first.published_at,
            _ => Duration::ZERO,
        }
    }

    /// From the first event's publishing to the last delivery.
    pub(super) fn delivering_took(&self) -> Duration {
        let first = self.events.first().map(|event| event.published_at);
        let last = self.events.iter().map(|event| event.last_at).max();
        last.unwrap_or_default()
            .saturating_sub(first.unwrap_or_default())
    }

    /// Whom an event is for: the open subscribers of its entity, but its sender.
    fn audience(&self, event: usize) -> u32 {
        let entity = self.plan.entity_of(event);
        let sender = self.plan.sender_of(event);
        let sender_subscribes = sender.is_some_and(|sender| {
            self.open[sender] && self.plan.subscription(sender, entity).is_some()
        });
        self.audiences[entity] - u32::from(sender_subscribes)
    }

    /// The subscription by which an event is for a connection.
    fn delivery(&self, connection: usize, event: usize) -> Option<usize> {
        let is_for_it = event < self.events.len()
            && self.open[connection]
            && self.plan.sender_of(event) != Some(connection);
        let entity = self.plan.entity_of(event);
        self.plan
            .subscription(connection, entity)
            .filter(|_| is_for_it)
    }

    /// An event that arrives was taken, whatever the answer was: an answer may have been lost.
    fn was_taken_after_all(&mut self, event: usize) {
        if self.events[event].outcome == Outcome::Refused {
            self.totals.refused -= 1;
            self.events[event].outcome = Outcome::Unknown;
        }
        self.taken(event);
    }
}

/// Microseconds, with three digits that are right; what takes longer than a day counts as a day.
pub(super) fn histogram() -> Histogram<u64> {
    const DAY: u64 = 24 * 60 * 60 * 1_000_000;
    Histogram::new_with_bounds(1, DAY, 3).expect("bounds and digits that a histogram can have")
}

/// Records a time in microseconds.
pub(super) fn record(histogram: &mut Histogram<u64>, time: Duration) {
    let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    histogram.saturating_record(microseconds);
}

/// Which of the things that are counted from 0 were there.
#[derive(Clone, Debug, Default)]
struct Marks(Vec<u64>);

impl Marks {
    /// Marks one; false if it was marked before.
    fn set(&mut self, number: usize) -> bool {
        let (word, bit) = (number / 64, 1 << (number % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }
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

    /// An account of events that were published a second apart and taken.
    fn account(plan: Plan, events: usize) -> Account {
        let mut account = Account::new(plan, vec![true; plan.connections]);
        for event in 0..events {
            account.publishing(at(1000 * event as u64));
            account.taken(event);
        }
        account
    }

    #[test]
    fn first_arrivals_are_deliveries_and_others_repeats() {
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
        assert_eq!(account.delivering_took(), at(1010));
        assert_eq!(account.publishing_took(), at(1000));
    }

    #[test]
    fn what_does_not_arrive_is_lost() {
        let mut account = account(PLAN, 4);
        account.arrived(2, Some(2), at(2001));
        let totals = account.totals();
        assert_eq!(
            (totals.expected, totals.delivered, totals.lost()),
            (6, 1, 5)
        );
    }

    #[test]
    fn what_is_not_for_a_connection_is_unexpected() {
        let mut account = account(PLAN, 2);
        for (connection, event) in [(0, Some(1)), (1, Some(0)), (0, Some(2)), (0, None)] {
            account.arrived(connection, event, at(5));
        }
        let totals = account.totals();
        assert_eq!((totals.unexpected, totals.delivered), (4, 0));
    }

    #[test]
    fn a_refused_event_asks_for_nothing_unless_it_arrives() {
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
        // It arrives before its answer does.
        account.publishing(at(2));
        account.arrived(0, Some(2), at(3));
        account.refused(2);
        assert_eq!(account.totals().published, 2);
    }

    #[test]
    fn nothing_is_complete_before_every_answer() {
        let mut account = Account::new(PLAN, vec![true; 3]);
        account.publishing(at(0));
        assert!(!account.is_complete());
    }

    #[test]
    fn connections_that_are_not_open_are_not_expected_to_get_anything() {
        let mut account = Account::new(PLAN, vec![true, false, false]);
        for event in 0..2 {
            account.publishing(at(0));
            account.taken(event);
        }
        assert_eq!(account.totals().expected, 1);
        account.arrived(2, Some(0), at(1));
        assert_eq!(account.totals().unexpected, 1);
    }

    #[test]
    fn a_sender_gets_its_own_message_from_nobody() {
        let by_clients = Plan {
            publisher: Publisher::Clients,
            ..PLAN
        };
        // The senders are 0, 1, 2 and 0, the entities 0, 1, 0 and 1: the second is for nobody but its sender.
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
    fn times_are_those_of_the_deliveries() {
        let mut account = account(PLAN, 1);
        account.arrived(2, Some(0), at(20));
        account.arrived(0, Some(0), at(50));
        account.arrived(0, Some(0), at(9000));
        let milliseconds = |microseconds: u64| (microseconds + 500) / 1000;
        assert_eq!(milliseconds(account.latencies().min()), 20);
        assert_eq!(milliseconds(account.latencies().max()), 50);
        assert_eq!(milliseconds(account.spreads().max()), 30);
        assert_eq!(account.delivering_took(), at(50));
    }

    #[test]
    fn marks_are_set_once() {
        let mut marks = Marks::default();
        for number in [0, 63, 64, 1000] {
            assert!(marks.set(number));
            assert!(!marks.set(number));
        }
    }
}
