//! The connections that are left of records that failed, as far as this process has seen them.
//!
//! A record fails half delivered if neither queue takes what is left of it. SQS brings it again whole,
//! and knows nothing of those who have it. This process does, and delivers only what is left if the record
//! comes to it again.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use herald_shared::push::Push;

/// The most records that are remembered: the last ones. Each is a page of connections at the most.
const REMEMBERED: usize = 50;

/// Pushes by the id of their message.
#[derive(Debug, Default)]
pub(super) struct Leftovers(Mutex<VecDeque<(String, Vec<Push>)>>);

impl Leftovers {
    /// Remembers what is left of a message.
    pub(super) fn remember(&self, message_id: String, left: Vec<Push>) {
        let mut leftovers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if leftovers.len() == REMEMBERED {
            leftovers.pop_front();
        }
        leftovers.push_back((message_id, left));
    }

    /// Takes what is left of a message. `None` if nothing of it is remembered.
    pub(super) fn take(&self, message_id: &str) -> Option<Vec<Push>> {
        let mut leftovers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = leftovers.iter().position(|(id, _)| id == message_id)?;
        leftovers.remove(place).map(|(_, left)| left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_messages_are_remembered_until_they_are_taken() {
        let leftovers = Leftovers::default();
        for number in 0..=REMEMBERED {
            leftovers.remember(number.to_string(), Vec::new());
        }
        assert!(leftovers.take("0").is_none());
        assert!(leftovers.take("1").is_some());
        assert!(leftovers.take("1").is_none());
        assert!(leftovers.take(&REMEMBERED.to_string()).is_some());
    }
}
