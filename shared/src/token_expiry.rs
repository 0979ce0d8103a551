//! The end of a connection's token.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The end of a token as its claim `exp` has it: in whole seconds since 1970.
///
/// Source: RFC 7519, section 4.1.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenExpiry(u64);

impl TokenExpiry {
    /// The tolerated difference between clocks: a token is accepted for that much longer.
    pub const LEEWAY: Duration = Duration::from_secs(30);

    /// Returns the moment this many seconds after the Unix epoch.
    pub const fn from_epoch_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Returns the seconds since the Unix epoch.
    pub const fn epoch_seconds(self) -> u64 {
        self.0
    }

    /// Returns whether a token that ends then is no longer accepted.
    pub fn has_passed(self, now: SystemTime) -> bool {
        since_epoch(now) >= Duration::from_secs(self.0).saturating_add(Self::LEEWAY)
    }
}

/// Returns the time since the Unix epoch. Zero for times before it.
pub fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_expires_after_its_end_and_the_leeway() {
        let expiry = TokenExpiry::from_epoch_seconds(1_000);
        for (second, passed) in [(0, false), (1_000, false), (1_029, false), (1_030, true)] {
            let now = UNIX_EPOCH + Duration::from_secs(second);
            assert_eq!(expiry.has_passed(now), passed, "{second}");
        }
        assert!(!TokenExpiry::from_epoch_seconds(u64::MAX).has_passed(SystemTime::now()));
    }
}
