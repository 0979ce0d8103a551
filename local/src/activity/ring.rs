//! The last records, numbered. A watcher is nothing but a number in it, so that a slow one costs
//! nothing, and knows how many it has missed.

use std::{collections::VecDeque, sync::Arc};

use super::record::{Happening, Record};

/// How many records are kept.
const CAPACITY: usize = 1000;

/// The last records.
#[derive(Debug)]
pub(super) struct Ring {
    records: VecDeque<Arc<Record>>,
    /// The number of the next record; the first ever is 1.
    next: u64,
}

/// Records that follow each other.
#[derive(Debug)]
pub(crate) struct Batch {
    /// How many records before them are not kept any more.
    pub(crate) missed: u64,
    /// The records, oldest first.
    pub(crate) records: Vec<Arc<Record>>,
}

impl Default for Ring {
    fn default() -> Self {
        Self {
            records: VecDeque::new(),
            next: 1,
        }
    }
}

impl Ring {
    /// Keeps what happened at this time, in epoch milliseconds.
    pub(super) fn push(&mut self, at: f64, happening: Happening) {
        if self.records.len() == CAPACITY {
            self.records.pop_front();
        }
        self.records.push_back(Arc::new(Record {
            number: self.next,
            at,
            happening,
        }));
        self.next += 1;
    }

    /// The number of the oldest record that is kept, or that will be.
    pub(super) fn first(&self) -> u64 {
        self.next - self.records.len() as u64
    }

    /// The records after the one with this number.
    pub(super) fn after(&self, number: u64) -> Batch {
        let wanted = number + 1;
        let missed = self.first().saturating_sub(wanted);
        let read_before = wanted.saturating_sub(self.first());
        let records = self.records.iter().skip(read_before as usize);
        Batch {
            missed,
            records: records.cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(records: usize) -> Ring {
        let mut ring = Ring::default();
        for _ in 0..records {
            let happening = Happening::Refused {
                status: 403,
                source_ip: [127, 0, 0, 1].into(),
            };
            ring.push(0.0, happening);
        }
        ring
    }

    #[test]
    fn a_reader_gets_each_record_once_and_knows_what_it_missed() {
        let capacity = CAPACITY as u64;
        for (records, after, missed, first, count) in [
            (0, 0, 0, None, 0),
            (3, 0, 0, Some(1), 3),
            (3, 2, 0, Some(3), 1),
            (3, 3, 0, None, 0),
            (CAPACITY, 0, 0, Some(1), CAPACITY),
            (CAPACITY + 5, 0, 5, Some(6), CAPACITY),
            (CAPACITY + 5, 4, 1, Some(6), CAPACITY),
            (CAPACITY + 5, 5, 0, Some(6), CAPACITY),
            (CAPACITY + 5, capacity, 0, Some(capacity + 1), 5),
            (CAPACITY + 5, capacity + 5, 0, None, 0),
        ] {
            let batch = ring(records).after(after);
            let numbers: Vec<_> = batch.records.iter().map(|record| record.number).collect();
            assert_eq!(batch.missed, missed, "{records} after {after}");
            assert_eq!(numbers.first().copied(), first, "{records} after {after}");
            assert_eq!(numbers.len(), count, "{records} after {after}");
            assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
        }
    }
}
