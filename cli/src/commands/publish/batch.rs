//! The messages of one call.

use super::entry::Entry;

/// The limits of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The largest number of messages.
    pub(super) entries: usize,
    /// The largest size of all messages, in bytes.
    pub(super) bytes: usize,
}

/// The messages of one call, each with the number of its line.
#[derive(Debug)]
pub(super) struct Batch {
    limits: Limits,
    entries: Vec<(u64, Entry)>,
    size: usize,
}

impl Batch {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            entries: Vec::new(),
            size: 0,
        }
    }

    /// Adds a message of `size` bytes. Returns it if it does not fit beside the others.
    pub(super) fn add(&mut self, line: u64, entry: Entry, size: usize) -> Result<(), Entry> {
        let Limits { entries, bytes } = self.limits;
        let is_full = self.entries.len() == entries || self.size + size > bytes;
        if is_full && !self.is_empty() {
            return Err(entry);
        }
        self.entries.push((line, entry));
        self.size += size;
        Ok(())
    }

    /// Takes all messages with their lines, in order.
    pub(super) fn take(&mut self) -> Vec<(u64, Entry)> {
        self.size = 0;
        std::mem::take(&mut self.entries)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many messages of these sizes fit into the first call.
    fn fitting(sizes: impl IntoIterator<Item = usize>) -> usize {
        let limits = Limits {
            entries: 10,
            bytes: 1000,
        };
        let mut batch = Batch::new(limits);
        let entry = Entry {
            detail_type: "Broadcast",
            detail: String::new(),
            idempotency_key: None,
        };
        for (line, size) in (1..).zip(sizes) {
            if batch.add(line, entry.clone(), size).is_err() {
                break;
            }
        }
        batch.take().len()
    }

    #[test]
    fn batch_is_limited_by_count_and_by_bytes() {
        assert_eq!(fitting([10; 9]), 9);
        assert_eq!(fitting([10; 11]), 10);
        assert_eq!(fitting([500, 500, 100]), 2);
        assert_eq!(fitting([500, 501]), 1);
        // A single message that is too large is left for the server to refuse.
        assert_eq!(fitting([1001, 100]), 1);
    }

    #[test]
    fn taken_batch_is_empty_and_has_room() {
        let limits = Limits {
            entries: 1,
            bytes: 10,
        };
        let mut batch = Batch::new(limits);
        let entry = Entry {
            detail_type: "Broadcast",
            detail: String::new(),
            idempotency_key: None,
        };
        for line in 1..=2 {
            batch.add(line, entry.clone(), 10).expect("room");
            assert_eq!(batch.take(), [(line, entry.clone())]);
            assert!(batch.is_empty());
        }
    }
}
