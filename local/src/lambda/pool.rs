//! The execution environments of one function: which exist, which are idle, which one is next.
//!
//! Pure state; starting and ending processes is done elsewhere. `E` is a cheap handle.

/// The environments of one function.
#[derive(Debug)]
pub(super) struct Pool<E> {
    maximum: usize,
    started: usize,
    alive: Vec<E>,
    /// The subset of `alive` that waits for work, the most recently used last.
    idle: Vec<E>,
}

/// Where the next invocation goes.
#[derive(Debug, PartialEq)]
pub(super) enum Place<E> {
    /// To this environment, which is busy now.
    Idle(E),
    /// To a new one, which has to be added.
    Room,
    /// Nowhere: as many as allowed are busy.
    Full,
}

impl<E: Clone + PartialEq> Pool<E> {
    /// A pool that never holds more than `maximum` environments.
    pub(super) fn new(maximum: usize) -> Self {
        Self {
            maximum,
            started: 0,
            alive: Vec::new(),
            idle: Vec::new(),
        }
    }

    /// Takes the idle environment that was used last, so that the others can age and be ended.
    pub(super) fn take(&mut self) -> Place<E> {
        match self.idle.pop() {
            Some(environment) => Place::Idle(environment),
            None if self.alive.len() < self.maximum => Place::Room,
            None => Place::Full,
        }
    }

    /// Adds an environment as busy, whatever the maximum.
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
    use super::{Place, Pool};

    /// A pool with these environments, all busy.
    fn busy(maximum: usize, environments: &[&'static str]) -> Pool<&'static str> {
        let mut pool = Pool::new(maximum);
        environments.iter().for_each(|name| pool.add(*name));
        pool
    }

    #[test]
    fn a_busy_environment_takes_no_second_invocation() {
        let mut pool = busy(3, &["a", "b"]);
        assert_eq!(pool.take(), Place::Room);
        pool.put_back(&"a");
        assert_eq!(pool.take(), Place::Idle("a"));
        assert_eq!(pool.take(), Place::Room);
        assert_eq!(pool.started(), 2);
    }

    #[test]
    fn the_last_used_environment_is_reused_first() {
        let mut pool = busy(2, &["a", "b"]);
        pool.put_back(&"b");
        pool.put_back(&"a");
        assert_eq!(pool.take(), Place::Idle("a"));
        assert_eq!(pool.take(), Place::Idle("b"));
    }

    #[test]
    fn a_full_pool_has_no_room_until_one_has_gone() {
        let mut pool = busy(1, &["a"]);
        assert_eq!(pool.take(), Place::Full);
        pool.remove(&"a");
        assert_eq!(pool.take(), Place::Room);
    }

    #[test]
    fn only_an_idle_environment_may_retire() {
        let mut pool = busy(1, &["a"]);
        assert!(!pool.remove_if_idle(&"a"));
        pool.put_back(&"a");
        assert!(pool.remove_if_idle(&"a"));
        assert!(pool.alive().is_empty());
    }

    #[test]
    fn a_removed_environment_does_not_come_back() {
        let mut pool = busy(1, &["a"]);
        assert_eq!(pool.clear(), ["a"]);
        pool.put_back(&"a");
        assert_eq!(pool.take(), Place::Room);
    }
}
