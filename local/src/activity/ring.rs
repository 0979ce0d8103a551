//! The last records, numbered. A watcher is just a number, so that a slow one costs nothing and knows how
//! many records it missed.

use std::{collections::VecDeque, sync::Arc};

use super::record::{Record, RecordKind};

/// The number of records that are kept.
const CAPACITY: usize = 1000;

/// The last records.
#[derive(Debug)]
pub(super) struct Ring {
    records: VecDeque<Arc<Record>>,
    /// The number of the next record; the first ever is 1.
    next: u64,
}

/// Consecutive records.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The number of records before them that were dropped.
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
    /// Adds a record at a time in epoch milliseconds, and drops the oldest if there are too many.
    pub(super) fn push(&mut self, at: f64, kind: RecordKind) {
        if self.records.len() == CAPACITY {
            self.records.pop_front();
        }
        self.records.push_back(Arc::new(Record {
            number: self.next,
            at,
            kind,
        }));
        self.next += 1;
    }

    /// Returns the number of the oldest record, or of the next if there is none.
    pub(super) fn first(&self) -> u64 {
        self.next - self.records.len() as u64
    }

    /// Returns the records after the one with this number.
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
            let kind = RecordKind::Refused {
                status: 403,
                source_ip: [127, 0, 0, 1].into(),
            };
            ring.push(0.0, kind);
        }
        ring
    }

    #[test]
    fn reader_gets_each_record_once_and_the_number_it_missed() {
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
