//! The circuit that opens when the gateway answers no post.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The number of posts that failed since the gateway last answered one. Once it reaches `limit`, in all
/// pushes of a delivery together, the remaining posts are not worth their time-outs: their recipients
/// are requeued untried.
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

    /// Records a post. An answer about the connection, such as 410 or 429, shows that the gateway works.
    pub(super) fn record(&self, answered: bool) {
        if answered {
            self.failures.store(0, Relaxed);
        } else {
            self.failures.fetch_add(1, Relaxed);
        }
    }

    /// Returns whether further posts are not worth making.
    pub(super) fn is_open(&self) -> bool {
        self.failures.load(Relaxed) >= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circuit_opens_at_limit_and_closes_at_next_answer() {
        let circuit = Circuit::new(2);
        circuit.record(false);
        assert!(!circuit.is_open());
        circuit.record(false);
        assert!(circuit.is_open());
        circuit.record(true);
        assert!(!circuit.is_open());
        circuit.record(false);
        assert!(!circuit.is_open());
    }
}
