//! The plan of a run: the subscriptions of each connection, and the entity, sender and due time of each event.

use std::time::Duration;

/// The plan of a run. Connections, entities and events are numbered from 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// The number of connections, at least 1.
    pub(super) connections: usize,
    /// The number of entities, at least 1.
    pub(super) entities: usize,
    /// The number of entities that each connection subscribes to, at least 1.
    pub(super) subscriptions: usize,
    /// The events published per second, greater than 0.
    pub(super) rate: f64,
    /// The time for which events are published.
    pub(super) duration: Duration,
    /// The publisher of the events.
    pub(super) publisher: Publisher,
}

/// The publisher of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Publisher {
    /// The bench itself, with `PutEvents`.
    Bus,
    /// The connections in turn, with `sendMessage`. A sender does not receive its own message.
    Clients,
}

impl Plan {
    /// Returns the total number of events.
    pub(super) fn events(&self) -> usize {
        // The conversion saturates: there is no time to publish more events than that.
        (self.rate * self.duration.as_secs_f64()).ceil() as usize
    }

    /// Returns the number of events that should be published at this time after the start.
    pub(super) fn due(&self, elapsed: Duration) -> usize {
        let due = (self.rate * elapsed.as_secs_f64()).floor() as usize + 1;
        due.min(self.events())
    }

    /// Returns the time after the start at which an event is due. For the event after the last one, which is never
    /// due, returns the end of the duration.
    pub(super) fn due_at(&self, event: usize) -> Duration {
        Duration::from_secs_f64(event as f64 / self.rate).min(self.duration)
    }

    /// Returns the entity of an event: each in turn.
    pub(super) fn entity_of(&self, event: usize) -> usize {
        event % self.entities
    }

    /// Returns the connection that sends an event. `None` if the bench publishes it.
    pub(super) fn sender_of(&self, event: usize) -> Option<usize> {
        (self.publisher == Publisher::Clients).then_some(event % self.connections)
    }

    /// Returns the entities that a connection subscribes to. They are neighbours, so that the numbers of subscribers of two
    /// entities differ by at most one.
    pub(super) fn entities_of(&self, connection: usize) -> impl Iterator<Item = usize> {
        let first = self.first_entity_of(connection);
        (first..first + self.subscriptions).map(|entity| entity % self.entities)
    }

    /// Returns the number of a connection's subscription to an entity. `None` if it has none.
    pub(super) fn subscription(&self, connection: usize, entity: usize) -> Option<usize> {
        let place = (entity + self.entities - self.first_entity_of(connection)) % self.entities;
        (place < self.subscriptions).then_some(connection * self.subscriptions + place)
    }

    fn first_entity_of(&self, connection: usize) -> usize {
        connection * self.subscriptions % self.entities
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan {
        connections: 10,
        entities: 4,
        subscriptions: 3,
        rate: 100.0,
        duration: Duration::from_secs(2),
        publisher: Publisher::Bus,
    };

    #[test]
    fn subscribers_are_spread_evenly_over_the_entities() {
        for (connections, entities, subscriptions) in
            [(10, 4, 3), (10, 4, 4), (1, 1, 1), (7, 3, 1), (5000, 100, 2)]
        {
            let plan = Plan {
                connections,
                entities,
                subscriptions,
                ..PLAN
            };
            let mut subscribers = vec![0; entities];
            for connection in 0..connections {
                for entity in plan.entities_of(connection) {
                    subscribers[entity] += 1;
                }
            }
            let least = subscribers.iter().min().expect("an entity");
            let most = subscribers.iter().max().expect("an entity");
            assert!(*least > 0 && most - least <= 1, "{plan:?}: {subscribers:?}");
        }
    }

    #[test]
    fn every_subscription_has_a_unique_number() {
        let mut seen = vec![false; PLAN.connections * PLAN.subscriptions];
        for connection in 0..PLAN.connections {
            let entities: Vec<_> = PLAN.entities_of(connection).collect();
            for entity in 0..PLAN.entities {
                let subscription = PLAN.subscription(connection, entity);
                assert_eq!(subscription.is_some(), entities.contains(&entity));
                if let Some(subscription) = subscription {
                    assert!(!std::mem::replace(&mut seen[subscription], true));
                }
            }
        }
        assert!(seen.into_iter().all(|seen| seen));
    }

    #[test]
    fn events_are_due_at_their_rate_up_to_the_total() {
        for (milliseconds, due) in [
            (0, 1),
            (9, 1),
            (10, 2),
            (1000, 101),
            (1999, 200),
            (9999, 200),
        ] {
            assert_eq!(PLAN.due(Duration::from_millis(milliseconds)), due);
        }
        assert_eq!(PLAN.events(), 200);
        assert_eq!(PLAN.due_at(150), Duration::from_millis(1500));
    }

    #[test]
    fn publishing_ends_with_the_duration_however_low_the_rate() {
        let plan = Plan {
            rate: 0.001,
            duration: Duration::from_secs(1),
            ..PLAN
        };
        assert_eq!(plan.events(), 1);
        assert_eq!(plan.due_at(plan.events()), plan.duration);
    }

    #[test]
    fn connections_send_in_turn_when_clients_publish() {
        let by_clients = Plan {
            publisher: Publisher::Clients,
            ..PLAN
        };
        assert_eq!(PLAN.sender_of(12), None);
        assert_eq!(by_clients.sender_of(12), Some(2));
    }
}
