//! The pool of one function's execution environments: all of them, the idle ones and the next to
//! use.
//!
//! Pure state: other modules start, end and limit the processes. `E` is a cheap handle.

/// The environments of one function.
#[derive(Debug)]
pub(super) struct Pool<E> {
    started: usize,
    alive: Vec<E>,
    /// The idle subset of `alive`, the most recently used last.
    idle: Vec<E>,
}

impl<E: Clone + PartialEq> Pool<E> {
    /// Makes an empty pool.
    pub(super) fn new() -> Self {
        Self {
            started: 0,
            alive: Vec::new(),
            idle: Vec::new(),
        }
    }

    /// Removes and returns the idle environment that was used last, so that the others reach their
    /// idle limit.
    pub(super) fn take(&mut self) -> Option<E> {
        self.idle.pop()
    }

    /// Adds an environment as busy.
    pub(super) fn add(&mut self, environment: E) {
        self.started += 1;
        self.alive.push(environment);
    }

    /// Makes a busy environment idle. A removed environment stays removed.
    pub(super) fn put_back(&mut self, environment: &E) {
        if self.alive.contains(environment) {
            self.idle.push(environment.clone());
        }
    }

    /// Removes an environment, busy or idle.
    pub(super) fn remove(&mut self, environment: &E) {
        self.alive.retain(|other| other != environment);
        self.idle.retain(|other| other != environment);
    }

    /// Removes the environment for which `is_it` holds, busy or idle, and returns it.
    pub(super) fn remove_where(&mut self, is_it: impl Fn(&E) -> bool) -> Option<E> {
        let environment = self.alive.iter().find(|&environment| is_it(environment))?;
        let environment = environment.clone();
        self.remove(&environment);
        Some(environment)
    }

    /// Removes an environment if it is idle. Returns `false` if it has just been taken.
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

    /// Returns all environments, busy and idle.
    pub(super) fn alive(&self) -> &[E] {
        &self.alive
    }

    /// Returns the number of environments that were ever started.
    pub(super) fn started(&self) -> usize {
        self.started
    }
}

#[cfg(test)]
mod tests {
    use super::Pool;

    /// Returns a pool with these environments, all busy.
    fn busy(environments: &[&'static str]) -> Pool<&'static str> {
        let mut pool = Pool::new();
        environments.iter().for_each(|name| pool.add(*name));
        pool
    }

    #[test]
    fn busy_environment_is_not_taken_again() {
        let mut pool = busy(&["a", "b"]);
        assert_eq!(pool.take(), None);
        pool.put_back(&"a");
        assert_eq!(pool.take(), Some("a"));
        assert_eq!(pool.take(), None);
        assert_eq!(pool.started(), 2);
    }

    #[test]
    fn last_used_environment_is_taken_first() {
        let mut pool = busy(&["a", "b"]);
        pool.put_back(&"b");
        pool.put_back(&"a");
        assert_eq!(pool.take(), Some("a"));
        assert_eq!(pool.take(), Some("b"));
    }

    #[test]
    fn only_idle_environment_is_removed_if_idle() {
        let mut pool = busy(&["a"]);
        assert!(!pool.remove_if_idle(&"a"));
        pool.put_back(&"a");
        assert!(pool.remove_if_idle(&"a"));
        assert!(pool.alive().is_empty());
    }

    #[test]
    fn removed_environment_cannot_be_put_back() {
        let mut pool = busy(&["a"]);
        assert_eq!(pool.clear(), ["a"]);
        pool.put_back(&"a");
        assert_eq!(pool.take(), None);
        assert!(pool.alive().is_empty());
    }
}
