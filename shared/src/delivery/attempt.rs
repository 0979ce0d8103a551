//! The number of an attempt, and the step after it.

use std::time::{Duration, SystemTime};

use super::{Settings, backoff};
use crate::{
    audience::{Audience, Recipient, YOUNG},
    push::Recipients,
};

/// One attempt to reach connections of an audience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) audience: Audience,
    /// The number of the audience's slots that the connections were read from.
    pub(super) slots: u16,
    /// The number, from 1.
    pub(super) number: u32,
    /// The number of times that the time ran out before these connections were tried in this attempt.
    pub(super) rounds: u32,
}

/// The next step for connections that did not get the push.
#[derive(Debug)]
pub(super) enum NextStep {
    /// They are requeued, hidden for the delay.
    Attempt(Attempt, Duration),
    /// They become a dead letter for this reason.
    DeadLetter(String),
}

impl Attempt {
    /// Returns the first attempt.
    pub(super) fn first(audience: Audience, slots: u16) -> Self {
        Self {
            audience,
            slots,
            number: 1,
            rounds: 0,
        }
    }

    /// Returns connections as the recipients of this attempt.
    pub(super) fn recipients(&self, connections: Vec<Recipient>) -> Recipients {
        Recipients::Connections {
            audience: self.audience.clone(),
            connections,
            slots: self.slots,
            attempt: self.number,
            rounds: self.rounds,
        }
    }

    /// Returns the next step if the time ran out before the posts: another round of this attempt. The
    /// number of rounds is limited, and so is the number of an event's messages.
    pub(super) fn after_no_time(&self, settings: &Settings) -> NextStep {
        if self.rounds < settings.rounds {
            let round = Self {
                rounds: self.rounds + 1,
                ..self.clone()
            };
            return NextStep::Attempt(round, Duration::ZERO);
        }
        self.after_failure("the time ran out before they were tried", settings)
    }

    /// Returns the next step if every try failed, the last one for `reason`.
    pub(super) fn after_failure(&self, reason: &str, settings: &Settings) -> NextStep {
        if self.number < settings.attempts {
            let delay = backoff::before_next_attempt(self.number, fastrand::f64());
            return NextStep::Attempt(self.next(), delay);
        }
        let attempts = self.number;
        NextStep::DeadLetter(format!("not reached in {attempts} attempts: {reason}"))
    }

    /// Returns the next step if connections were not open yet. After the last attempt they get one more,
    /// when the youngest is so old that a 410 is final: a connection that never opens is then forgotten
    /// instead of becoming a dead letter.
    pub(super) fn while_opening(
        &self,
        opening: &[Recipient],
        settings: &Settings,
        now: SystemTime,
    ) -> NextStep {
        if self.number < settings.attempts {
            let delay = backoff::before_next_look(self.number, fastrand::f64());
            return NextStep::Attempt(self.next(), delay);
        }
        if self.number == settings.attempts {
            return NextStep::Attempt(self.next(), youth_left(opening, now));
        }
        self.after_failure("the connection is not open yet", settings)
    }

    fn next(&self) -> Self {
        Self {
            number: self.number + 1,
            ..Self::first(self.audience.clone(), self.slots)
        }
    }
}

/// Returns the time until none of these connections is young, in whole seconds.
fn youth_left(connections: &[Recipient], now: SystemTime) -> Duration {
    let youngest = connections.iter().map(|recipient| recipient.connected_at);
    let old_at = youngest.max().unwrap_or(now) + YOUNG;
    let left = old_at.duration_since(now).unwrap_or_default();
    // A connection time in the future does not hide the message for longer.
    Duration::from_secs(left.as_secs() + 1).min(YOUNG)
}
