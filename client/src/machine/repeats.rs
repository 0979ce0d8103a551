//! The ids of recent events, within a bounded window.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

/// The last ids that were inserted.
#[derive(Debug)]
pub(super) struct Repeats {
    window: usize,
    oldest_first: VecDeque<Arc<str>>,
    seen: HashSet<Arc<str>>,
}

impl Repeats {
    pub(super) fn new(window: usize) -> Self {
        Self {
            window,
            oldest_first: VecDeque::new(),
            seen: HashSet::new(),
        }
    }

    /// Inserts an id. Returns false if it was present.
    pub(super) fn insert(&mut self, event_id: &str) -> bool {
        if self.contains(event_id) {
            return false;
        }
        let id: Arc<str> = event_id.into();
        self.oldest_first.push_back(id.clone());
        self.seen.insert(id);
        if self.oldest_first.len() > self.window
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }

    /// Returns true if an id is present.
    pub(super) fn contains(&self, event_id: &str) -> bool {
        self.seen.contains(event_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_new_again_after_it_left_the_window() {
        let mut repeats = Repeats::new(2);
        assert!(repeats.insert("a"));
        assert!(!repeats.insert("a"));
        assert!(repeats.insert("b"));
        assert!(!repeats.insert("a"), "a repeat does not move the window");
        assert!(repeats.insert("c"));
        assert!(!repeats.contains("a"));
        assert!(repeats.contains("b") && repeats.contains("c"));
    }
}
