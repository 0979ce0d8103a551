//! The number of an attempt, and what follows it.

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
    /// From 1.
    pub(super) number: u32,
    /// The number of times there was no time for these connections in this attempt.
    pub(super) rounds: u32,
}

/// The next step for connections that did not get the push.
#[derive(Debug)]
pub(super) enum Next {
    /// They are put back on the queue, hidden for the delay.
    Attempt(Attempt, Duration),
    /// They are a dead letter.
    DeadLetter(String),
}

impl Attempt {
    /// Returns the first attempt.
    pub(super) fn first(audience: Audience) -> Self {
        Self {
            audience,
            number: 1,
            rounds: 0,
        }
    }

    /// Names connections for this attempt.
    pub(super) fn of(&self, connections: Vec<Recipient>) -> Recipients {
        Recipients::Connections {
            audience: self.audience.clone(),
            connections,
            attempt: self.number,
            rounds: self.rounds,
        }
    }

    /// Returns what follows if there was no time to post: another round of this attempt. Rounds are
    /// bounded, so that the messages of one event are.
    pub(super) fn after_no_time(&self, settings: &Settings) -> Next {
        if self.rounds < settings.rounds {
            let round = Self {
                rounds: self.rounds + 1,
                ..self.clone()
            };
            return Next::Attempt(round, Duration::ZERO);
        }
        self.after_failure("there was no time to post to them", settings)
    }

    /// Returns what follows if every try failed, the last one for `reason`.
    pub(super) fn after_failure(&self, reason: &str, settings: &Settings) -> Next {
        if self.number < settings.attempts {
            let delay = backoff::before_next_attempt(self.number, fastrand::f64());
            return Next::Attempt(self.next(), delay);
        }
        let attempts = self.number;
        Next::DeadLetter(format!("not reached in {attempts} attempts: {reason}"))
    }

    /// Returns what follows if connections were not open yet. After the last attempt they have one more,
    /// when the youngest is so old that a 410 is final: a connection that never opens is forgotten, and
    /// is no dead letter.
    pub(super) fn while_opening(
        &self,
        opening: &[Recipient],
        settings: &Settings,
        now: SystemTime,
    ) -> Next {
        if self.number < settings.attempts {
            let delay = backoff::before_next_look(self.number, fastrand::f64());
            return Next::Attempt(self.next(), delay);
        }
        if self.number == settings.attempts {
            return Next::Attempt(self.next(), youth_left(opening, now));
        }
        self.after_failure("the connection is not open yet", settings)
    }

    fn next(&self) -> Self {
        Self {
            number: self.number + 1,
            ..Self::first(self.audience.clone())
        }
    }
}

/// Returns how long it takes until none of these connections is young, in whole seconds.
fn youth_left(connections: &[Recipient], now: SystemTime) -> Duration {
    let youngest = connections.iter().map(|recipient| recipient.connected_at);
    let old_at = youngest.max().unwrap_or(now) + YOUNG;
    let left = old_at.duration_since(now).unwrap_or_default();
    // A clock that is ahead does not hide the message for longer.
    Duration::from_secs(left.as_secs() + 1).min(YOUNG)
}
