//! The execution environments of one function: which exist, which are idle, which one is next.
//!
//! Pure state; starting and ending processes, and holding their number down, is done elsewhere. `E`
//! is a cheap handle.

/// The environments of one function.
#[derive(Debug)]
pub(super) struct Pool<E> {
    started: usize,
    alive: Vec<E>,
    /// The subset of `alive` that waits for work, the most recently used last.
    idle: Vec<E>,
}

impl<E: Clone + PartialEq> Pool<E> {
    /// A pool without environments.
    pub(super) fn new() -> Self {
        Self {
            started: 0,
            alive: Vec::new(),
            idle: Vec::new(),
        }
    }

    /// Takes an idle environment, which is busy from now on: the one that was used last, so that the
    /// others can age and be ended.
    pub(super) fn take(&mut self) -> Option<E> {
        self.idle.pop()
    }

    /// Adds an environment as busy.
    pub(super) fn add(&mut self, environment: E) {
        self.started += 1;
        self.alive.push(environment);
    }

    /// Makes a busy environment idle. One that was removed meanwhile stays removed.
    pub(super) fn put_back(&mut self, environment: &E) {
        if self.alive.contains(environment) {
            self.idle.push(environment.clone());
        }
    }

    /// Removes an environment whatever it does.
    pub(super) fn remove(&mut self, environment: &E) {
        self.alive.retain(|other| other != environment);
        self.idle.retain(|other| other != environment);
    }

    /// Removes an environment if it is idle; otherwise it has just been taken, and `false` is said.
    pub(super) fn remove_if_idle(&mut self, environment: &E) -> bool {
        let idle = self.idle.contains(environment);
        if idle {
            self.remove(environment);
        }
        idle
    }

    /// Removes and returns all environments.
    pub(super) fn clear(&mut self) -> Vec<E> {
        self.idle.clear();
        std::mem::take(&mut self.alive)
    }

    /// All environments, busy and idle.
    pub(super) fn alive(&self) -> &[E] {
        &self.alive
    }

    /// How many environments were ever started.
    pub(super) fn started(&self) -> usize {
        self.started
    }
}

#[cfg(test)]
mod tests {
    use super::Pool;

    /// A pool with these environments, all busy.
    fn busy(environments: &[&'static str]) -> Pool<&'static str> {
        let mut pool = Pool::new();
        environments.iter().for_each(|name| pool.add(*name));
        pool
    }

    #[test]
    fn a_busy_environment_takes_no_second_invocation() {
        let mut pool = busy(&["a", "b"]);
        assert_eq!(pool.take(), None);
        pool.put_back(&"a");
        assert_eq!(pool.take(), Some("a"));
        assert_eq!(pool.take(), None);
        assert_eq!(pool.started(), 2);
    }

    #[test]
    fn the_last_used_environment_is_reused_first() {
        let mut pool = busy(&["a", "b"]);
        pool.put_back(&"b");
        pool.put_back(&"a");
        assert_eq!(pool.take(), Some("a"));
        assert_eq!(pool.take(), Some("b"));
    }

    #[test]
    fn only_an_idle_environment_may_retire() {
        let mut pool = busy(&["a"]);
        assert!(!pool.remove_if_idle(&"a"));
        pool.put_back(&"a");
        assert!(pool.remove_if_idle(&"a"));
        assert!(pool.alive().is_empty());
    }

    #[test]
    fn a_removed_environment_does_not_come_back() {
        let mut pool = busy(&["a"]);
        assert_eq!(pool.clear(), ["a"]);
        pool.put_back(&"a");
        assert_eq!(pool.take(), None);
        assert!(pool.alive().is_empty());
    }
}
