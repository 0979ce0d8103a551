//! What goes to EventBridge in one call.

use super::entry::Entry;

/// The most events of a call.
///
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>
const MOST: usize = 10;

/// The most bytes of a call. Newer documentation says 1 MB; this is what every Region has always taken, and
/// no event of Herald's is larger.
///
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>
const LARGEST: usize = 256 * 1024;

/// Events of one call, each with the number of its line.
#[derive(Debug, Default)]
pub(super) struct Batch {
    entries: Vec<(u64, Entry)>,
    size: usize,
}

impl Batch {
    /// Adds an event, unless there is no room for it beside the others. Gives it back then.
    pub(super) fn add(&mut self, line: u64, entry: Entry, source: &str) -> Result<(), Entry> {
        let size = size(&entry, source);
        let is_full = self.entries.len() == MOST || self.size + size > LARGEST;
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

    /// The events with their lines, in order.
    pub(super) fn entries(&self) -> &[(u64, Entry)] {
        &self.entries
    }
}

/// The bytes an event counts for; it has neither a time nor resources.
///
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size>
fn size(entry: &Entry, source: &str) -> usize {
    source.len() + entry.detail_type.len() + entry.detail.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of events of these sizes go into the first call.
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
    fn a_call_has_ten_events_and_so_many_bytes_at_most() {
        assert_eq!(fitting([100; 9]), 9);
        assert_eq!(fitting([100; 11]), 10);
        assert_eq!(fitting([LARGEST / 2, LARGEST / 2, 100]), 2);
        assert_eq!(fitting([LARGEST / 2, LARGEST / 2 + 1]), 1);
        // Alone it is EventBridge's to refuse.
        assert_eq!(fitting([LARGEST + 1, 100]), 1);
    }
}
