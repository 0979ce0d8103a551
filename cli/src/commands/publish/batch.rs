//! The events of one call of EventBridge.

use super::entry::Entry;

/// The largest number of events in a call.
///
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>
const MAX_EVENTS: usize = 10;

/// The largest size of a call, in bytes. Newer documentation says 1 MB. Every Region has always accepted this size, and
/// no event of Herald's is larger.
///
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>
const MAX_BYTES: usize = 256 * 1024;

/// The events of one call, each with the number of its line.
#[derive(Debug, Default)]
pub(super) struct Batch {
    entries: Vec<(u64, Entry)>,
    size: usize,
}

impl Batch {
    /// Adds an event. Returns it if it does not fit beside the others.
    pub(super) fn add(&mut self, line: u64, entry: Entry, source: &str) -> Result<(), Entry> {
        let size = size(&entry, source);
        let is_full = self.entries.len() == MAX_EVENTS || self.size + size > MAX_BYTES;
        if is_full && !self.is_empty() {
            return Err(entry);
        }
        self.entries.push((line, entry));
        self.size += size;
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the events with their lines, in order.
    pub(super) fn entries(&self) -> &[(u64, Entry)] {
        &self.entries
    }
}

/// Returns the bytes that EventBridge counts for an event without time and resources.
///
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size>
fn size(entry: &Entry, source: &str) -> usize {
    source.len() + entry.detail_type.len() + entry.detail.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many events of these sizes fit into the first call.
    fn fitting(sizes: impl IntoIterator<Item = usize>) -> usize {
        let mut batch = Batch::default();
        let empty = Entry {
            detail_type: "Broadcast",
            detail: String::new(),
            idempotency_key: None,
        };
        for (line, bytes) in (1..).zip(sizes) {
            let detail = " ".repeat(bytes - size(&empty, "source"));
            let entry = Entry {
                detail,
                ..empty.clone()
            };
            if batch.add(line, entry, "source").is_err() {
                break;
            }
        }
        batch.entries().len()
    }

    #[test]
    fn batch_is_limited_by_count_and_by_bytes() {
        assert_eq!(fitting([100; 9]), 9);
        assert_eq!(fitting([100; 11]), 10);
        assert_eq!(fitting([MAX_BYTES / 2, MAX_BYTES / 2, 100]), 2);
        assert_eq!(fitting([MAX_BYTES / 2, MAX_BYTES / 2 + 1]), 1);
        // A single event that is too large is left for EventBridge to refuse.
        assert_eq!(fitting([MAX_BYTES + 1, 100]), 1);
    }
}
