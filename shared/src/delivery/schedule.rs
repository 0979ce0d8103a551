//! The deadlines of the steps of a delivery.

use tokio::time::Instant;

use super::Settings;

/// The deadline of each step, so that the next step has time left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// No post starts after this.
    pub(super) last_post: Instant,
    /// No deletion of a connection starts after this.
    pub(super) last_forgotten: Instant,
    /// No deletion of a connection lasts longer than this.
    pub(super) forgotten: Instant,
    /// Nothing is requeued after this.
    pub(super) put_back: Instant,
    /// Nothing is sent to the dead-letter queue after this.
    pub(super) dead_lettered: Instant,
}

impl Schedule {
    /// Divides the reserve before `deadline` among the steps.
    pub(super) fn before(deadline: Instant, settings: &Settings) -> Self {
        let reserve = settings.reserve;
        Self {
            last_post: deadline - reserve,
            last_forgotten: deadline - reserve / 2,
            forgotten: deadline - reserve * 5 / 12,
            put_back: deadline - reserve / 3,
            dead_lettered: deadline - reserve / 6,
        }
    }
}
