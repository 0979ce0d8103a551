//! Which events were seen, over a bounded window.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

/// The last ids that were seen.
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

    /// Remembers an id; false if it was known.
    pub(super) fn is_new(&mut self, event_id: &str) -> bool {
        if self.knows(event_id) {
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

    /// Whether an id is known.
    pub(super) fn knows(&self, event_id: &str) -> bool {
        self.seen.contains(event_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once_and_again_when_the_window_has_passed_it() {
        let mut repeats = Repeats::new(2);
        assert!(repeats.is_new("a"));
        assert!(!repeats.is_new("a"));
        assert!(repeats.is_new("b"));
        assert!(!repeats.is_new("a"), "a repeat does not move the window");
        assert!(repeats.is_new("c"));
        assert!(!repeats.knows("a"));
        assert!(repeats.knows("b") && repeats.knows("c"));
    }
}
