//! The drop of all connections at once, and their return. It reads no clock: the caller passes the time.

use std::{ops::Range, time::Duration};

use hdrhistogram::Histogram;

use super::account::{histogram, record};

/// A drop of all open connections. Times are relative to the start of the run.
pub(super) struct Reconnect {
    dropped_at: Duration,
    connections: Vec<Dropped>,
    times: Histogram<u64>,
}

/// The state of a connection since the drop.
#[derive(Clone, Copy)]
enum Dropped {
    /// It was not open.
    No,
    /// It is not open again, or lacks a subscription.
    Away,
    /// Its last subscription was acknowledged at this time.
    Live(Duration),
}

impl Reconnect {
    /// Makes the account of a drop. `open` is true for each connection that was open.
    pub(super) fn new(open: &[bool], at: Duration) -> Self {
        let connections = open.iter();
        Self {
            dropped_at: at,
            connections: connections
                .map(|open| if *open { Dropped::Away } else { Dropped::No })
                .collect(),
            times: histogram(),
        }
    }

    /// Returns true if the connection was dropped and has not returned.
    pub(super) fn is_away(&self, connection: usize) -> bool {
        matches!(self.connections[connection], Dropped::Away)
    }

    /// Records that the last subscription of a connection was acknowledged.
    pub(super) fn live(&mut self, connection: usize, at: Duration) {
        if self.is_away(connection) {
            self.connections[connection] = Dropped::Live(at);
            record(&mut self.times, at.saturating_sub(self.dropped_at));
        }
    }

    /// Returns the number of dropped connections.
    pub(super) fn dropped(&self) -> usize {
        let dropped = |connection: &&Dropped| !matches!(connection, Dropped::No);
        self.connections.iter().filter(dropped).count()
    }

    /// Returns the number of connections that returned with all their subscriptions.
    pub(super) fn returned(&self) -> usize {
        self.times.len() as usize
    }

    /// Returns the time for which a dropped connection was away. It has no end for one that has not returned.
    pub(super) fn away(&self, connection: usize) -> Option<Range<Duration>> {
        match self.connections[connection] {
            Dropped::No => None,
            Dropped::Away => Some(self.dropped_at..Duration::MAX),
            Dropped::Live(at) => Some(self.dropped_at..at),
        }
    }

    /// Returns the times from the drop to the last acknowledged subscription, in microseconds.
    pub(super) fn times(&self) -> &Histogram<u64> {
        &self.times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_counts_once_from_the_drop_to_its_return() {
        let at = Duration::from_millis;
        let mut reconnect = Reconnect::new(&[true, false, true], at(1000));
        assert_eq!((reconnect.dropped(), reconnect.returned()), (2, 0));
        reconnect.live(0, at(1500));
        reconnect.live(0, at(1900));
        reconnect.live(1, at(1600));
        assert_eq!(reconnect.returned(), 1);
        assert_eq!((reconnect.times().max() + 500) / 1000, 500);
        assert_eq!(reconnect.away(0), Some(at(1000)..at(1500)));
        assert_eq!(reconnect.away(1), None);
        assert_eq!(reconnect.away(2), Some(at(1000)..Duration::MAX));
        assert!(reconnect.is_away(2) && !reconnect.is_away(0));
    }
}
