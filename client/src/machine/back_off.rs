//! Exponential back-off with full jitter: each delay is a random share of a growing bound, so that clients that
//! failed together do not retry together.
//!
//! The crates for this sleep, or have a random source and a clock of their own. The machine has neither, and
//! needs a line of arithmetic only.

use std::time::Duration;

use herald_shared::backoff::bound;

use super::rules::Rules;

/// The number of delays in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BackOff {
    delays: u32,
}

impl BackOff {
    /// Returns the next delay. `jitter` is the random share, at least 0 and less than 1.
    pub(crate) fn next(&mut self, rules: &Rules, jitter: f64) -> Duration {
        let bound = bound(rules.backoff_base, rules.backoff_cap, self.delays);
        self.delays = self.delays.saturating_add(1);
        share(bound, jitter)
    }

    /// Makes the next delay a small one again.
    pub(crate) fn reset(&mut self) {
        self.delays = 0;
    }
}

/// Returns a share of a duration, rounded to milliseconds.
pub(super) fn share(whole: Duration, share: f64) -> Duration {
    let milliseconds = (whole.as_secs_f64() * 1000.0 * share).round();
    Duration::from_millis(milliseconds as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random_rules(random: &mut fastrand::Rng) -> Rules {
        Rules {
            backoff_base: Duration::from_millis(random.u64(0..10_000)),
            backoff_cap: Duration::from_millis(random.u64(0..1_000_000)),
            ..Rules::default()
        }
    }

    #[test]
    fn delay_is_within_its_bound_after_any_number_of_delays() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..1000 {
            let rules = random_rules(&mut random);
            let mut back_off = BackOff::default();
            for n in 0..70 {
                let delay = back_off.next(&rules, random.f64());
                let doubled = rules.backoff_base.saturating_mul(2u32.saturating_pow(n));
                assert!(
                    delay <= doubled.min(rules.backoff_cap),
                    "{n}: {delay:?} {rules:?}"
                );
            }
        }
    }

    #[test]
    fn delay_grows_with_jitter() {
        let mut random = fastrand::Rng::with_seed(2);
        for _ in 0..1000 {
            let rules = random_rules(&mut random);
            let mut back_off = BackOff {
                delays: random.u32(0..40),
            };
            let (one, other) = (random.f64(), random.f64());
            let of_one = back_off.clone().next(&rules, one);
            let of_other = back_off.next(&rules, other);
            assert_eq!(one < other, of_one <= of_other && one < other);
        }
    }

    #[test]
    fn delays_are_uniform_within_their_bound() {
        let mut random = fastrand::Rng::with_seed(3);
        let rules = Rules::default();
        let mut tenths = [0; 10];
        for _ in 0..10_000 {
            let delay = BackOff::default().next(&rules, random.f64());
            tenths[(delay.as_millis() as usize / 100).min(9)] += 1;
        }
        assert!(
            tenths.iter().all(|tenth| (800..1200).contains(tenth)),
            "{tenths:?}"
        );
    }
}
