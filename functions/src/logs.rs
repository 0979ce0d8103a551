//! The logs of audiences, and how far back a connection may read them.

use std::time::Duration;

use herald_shared::{
    audience::Audience,
    ids::EntityId,
    log::{FILL_AFTER, History, Log, LogPolicy, Reach},
};
use tokio::time::Instant;

use crate::message::Message;

#[cfg(test)]
use herald_shared::log::memory::MemoryLogRows;

/// The logs, with the policies that say which audiences have one.
#[derive(Clone, Debug)]
pub struct Logs<R> {
    /// The logs.
    pub log: Log<R>,
    /// The policies.
    pub history: History,
    /// The age of the oldest message that a client without the permission `history` may recover.
    pub recover_within: Duration,
}

#[cfg(test)]
impl Logs<MemoryLogRows> {
    /// Returns the logs of a stack that keeps none.
    pub(crate) fn off() -> Self {
        Self {
            log: Log::over(MemoryLogRows::default()),
            history: History::off(),
            recover_within: Duration::ZERO,
        }
    }
}

/// Returns the time for which a function that ends at `deadline` retries a row of a throttled log: half of
/// what is left, because delivery follows, and at most until a reader may fill the row's offset.
pub(crate) fn patience(deadline: Instant) -> Duration {
    let left = deadline.saturating_duration_since(Instant::now());
    FILL_AFTER.min(left / 2)
}

impl<R> Logs<R> {
    /// Returns the policy of an audience. `None` if it has no log.
    pub fn policy(&self, audience: &Audience) -> Option<LogPolicy> {
        self.history.policy(audience)
    }

    /// Returns how far back a connection may read the log of an entity.
    pub fn reach(&self, message: &Message, entity: &EntityId) -> Reach {
        self.reach_if(message.caller.permissions.may_read_history(entity))
    }

    /// Returns how far back a connection may read the log of everyone.
    pub fn reach_of_everyone(&self, message: &Message) -> Reach {
        let permissions = &message.caller.permissions;
        self.reach_if(permissions.may_read_history_of_everyone())
    }

    fn reach_if(&self, may_read_history: bool) -> Reach {
        match may_read_history {
            true => Reach::Log,
            false => Reach::Within(self.recover_within),
        }
    }
}
