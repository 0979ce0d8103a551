//! The undelivered parts of failed records, as far as this process knows.
//!
//! A record is half delivered if neither queue accepts its undelivered parts. SQS then delivers the
//! whole record again without knowing which connections have it. This process does, and delivers only
//! the unfinished parts if it receives the record again.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use herald_shared::push::Push;

/// The maximum number of remembered records, the last ones. Each has at most a page of connections.
const REMEMBERED: usize = 50;

/// The undelivered parts by the id of their message.
#[derive(Debug, Default)]
pub(super) struct UnfinishedRecords(Mutex<VecDeque<(String, Vec<Push>)>>);

impl UnfinishedRecords {
    /// Stores the unfinished parts of a message.
    pub(super) fn insert(&self, message_id: String, unfinished: Vec<Push>) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() == REMEMBERED {
            records.pop_front();
        }
        records.push_back((message_id, unfinished));
    }

    /// Removes and returns the unfinished parts of a message. `None` if none are stored.
    pub(super) fn take(&self, message_id: &str) -> Option<Vec<Push>> {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = records.iter().position(|(id, _)| id == message_id)?;
        records.remove(index).map(|(_, unfinished)| unfinished)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_records_are_kept_until_they_are_taken() {
        let unfinished = UnfinishedRecords::default();
        for number in 0..=REMEMBERED {
            unfinished.insert(number.to_string(), Vec::new());
        }
        assert!(unfinished.take("0").is_none());
        assert!(unfinished.take("1").is_some());
        assert!(unfinished.take("1").is_none());
        assert!(unfinished.take(&REMEMBERED.to_string()).is_some());
    }
}
