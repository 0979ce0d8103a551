//! The circuit that opens when the gateway answers no post.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts the posts that failed since the gateway last answered one. Once there are `limit` of them, in
/// all pushes of a delivery together, the others are not worth their time-outs: they are requeued untried.
#[derive(Debug)]
pub(super) struct Circuit {
    limit: usize,
    failures: AtomicUsize,
}

impl Circuit {
    /// Returns a closed circuit.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            failures: AtomicUsize::new(0),
        }
    }

    /// Counts a post. An answer that is about the connection, such as 410 or 429, shows that the gateway
    /// works.
    pub(super) fn note(&self, answered: bool) {
        if answered {
            self.failures.store(0, Relaxed);
        } else {
            self.failures.fetch_add(1, Relaxed);
        }
    }

    /// Returns whether a further post is not worth making.
    pub(super) fn is_open(&self) -> bool {
        self.failures.load(Relaxed) >= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circuit_opens_at_its_limit_and_closes_with_the_next_answer() {
        let circuit = Circuit::new(2);
        circuit.note(false);
        assert!(!circuit.is_open());
        circuit.note(false);
        assert!(circuit.is_open());
        circuit.note(true);
        assert!(!circuit.is_open());
        circuit.note(false);
        assert!(!circuit.is_open());
    }
}
