//! The command line's notation of faults: `gone=0.1`, `post-delay=20ms`.

use std::time::Duration;

use super::{Faults, Step};
use crate::{iam::Revoked, template::Throttle};

/// All faults, each with an example.
const EXAMPLES: &str = "post-delay=20ms, throttle=100 or throttle=100/20 (per second, at \
     once), throttle-each=1, gone=0.1 (of the posts), failing=0.1, lost-disconnects=0.5, \
     duplicates=0.1, shuffle=on, failing-sends=0.1 (to queues), kill-notifier=0.1 (of its \
     invocations), notifier-dies-after=counter or notifier-dies-after=counter:0.1 (of these calls; \
     counter, row, audience or post), hidden-posts=0.01 (accepted, and never arriving), expire-rows=60s, stale-reads=500ms (of DynamoDB, without ConsistentRead), \
     hot-partition=1000 (write units a second of one partition key), \
     revoke=NotifierFunction/dynamodb:Query";

impl Faults {
    /// Adds one fault, written `NAME=VALUE`.
    ///
    /// # Errors
    ///
    /// Returns an error text that lists all faults if the name is unknown or the value invalid.
    pub fn add(&mut self, fault: &str) -> Result<(), String> {
        let (name, value) = fault.split_once('=').unwrap_or((fault, ""));
        let added = match name {
            "post-delay" => set(&mut self.gateway.post_delay, duration(value)),
            "throttle" => set(&mut self.gateway.throttle, throttle(value).map(Some)),
            "throttle-each" => set(&mut self.gateway.throttle_each, throttle(value).map(Some)),
            "gone" => set(&mut self.gateway.gone, share(value)),
            "failing" => set(&mut self.gateway.failing, share(value)),
            "hidden-posts" => set(&mut self.gateway.hidden, share(value)),
            "lost-disconnects" => set(&mut self.gateway.lost_disconnects, share(value)),
            "duplicates" => set(&mut self.queues.duplicates, share(value)),
            "failing-sends" => set(&mut self.queues.failing_sends, share(value)),
            "shuffle" => set(&mut self.queues.shuffle, (value == "on").then_some(true)),
            "kill-notifier" => set(&mut self.killed, share(value)),
            "notifier-dies-after" => dies_after(value)
                .map(|(step, share)| self.dies_after = self.dies_after.with(step, share)),
            "stale-reads" => set(&mut self.stale_reads, duration(value).map(Some)),
            "hot-partition" => set(&mut self.hot_partition, units(value).map(Some)),
            "expire-rows" => set(&mut self.expire_rows_every, duration(value).map(Some)),
            "revoke" => revoked(value).map(|revoked| self.revoked.push(revoked)),
            _ => None,
        };
        added.ok_or_else(|| {
            format!("`{fault}` has an unknown name or an invalid value; use one of {EXAMPLES}")
        })
    }
}

fn set<T>(field: &mut T, value: Option<T>) -> Option<()> {
    *field = value?;
    Some(())
}

fn share(text: &str) -> Option<f64> {
    let share = text.parse().ok()?;
    (0.0..=1.0).contains(&share).then_some(share)
}

/// Reads a number of units a second, of which a partition admits at least one.
fn units(text: &str) -> Option<f64> {
    let units: u32 = text.parse().ok()?;
    (units > 0).then_some(units.into())
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|character: char| !character.is_ascii_digit())?);
    let number = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        _ => None,
    }
}

/// Reads a step of the notifier and the share of its calls, all by default.
fn dies_after(text: &str) -> Option<(Step, f64)> {
    let (step, calls) = text.split_once(':').unwrap_or((text, "1"));
    let step = Step::ALL.into_iter().find(|known| known.name() == step)?;
    Some((step, share(calls)?))
}

/// Reads a rate per second and a burst. The burst defaults to the rate.
fn throttle(text: &str) -> Option<Throttle> {
    let (rate, burst) = text.split_once('/').unwrap_or((text, text));
    Some(Throttle {
        rate: rate.parse().ok()?,
        burst: burst.parse().ok()?,
    })
}

/// Reads a function and the action it loses on all resources.
fn revoked(text: &str) -> Option<Revoked> {
    let (function, action) = text.split_once('/')?;
    Some(Revoked {
        function: function.to_owned(),
        action: action.to_owned(),
        resource: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::DiesAfter;

    #[test]
    fn every_fault_is_parsed() {
        let mut faults = Faults::default();
        for fault in [
            "post-delay=20ms",
            "throttle=100/20",
            "throttle-each=1",
            "gone=0.1",
            "failing=0.2",
            "lost-disconnects=1",
            "duplicates=0.3",
            "shuffle=on",
            "failing-sends=0.5",
            "kill-notifier=0.4",
            "notifier-dies-after=counter",
            "notifier-dies-after=post:0.02",
            "hidden-posts=0.01",
            "expire-rows=60s",
            "stale-reads=500ms",
            "hot-partition=1000",
            "revoke=Notifier/sqs:SendMessage",
            "revoke=Notifier/dynamodb:Query",
        ] {
            assert_eq!(faults.add(fault), Ok(()));
        }
        assert_eq!(faults.gateway.post_delay, Duration::from_millis(20));
        let throttle = Some(Throttle {
            rate: 100.0,
            burst: 20,
        });
        assert_eq!(faults.gateway.throttle, throttle);
        let throttle = Some(Throttle {
            rate: 1.0,
            burst: 1,
        });
        assert_eq!(faults.gateway.throttle_each, throttle);
        assert_eq!((faults.gateway.gone, faults.gateway.failing), (0.1, 0.2));
        assert_eq!(faults.gateway.lost_disconnects, 1.0);
        assert_eq!(
            (faults.queues.duplicates, faults.queues.shuffle),
            (0.3, true)
        );
        assert_eq!(faults.queues.failing_sends, 0.5);
        assert_eq!(faults.killed, 0.4);
        let expected = DiesAfter::default()
            .with(Step::Counter, 1.0)
            .with(Step::Post, 0.02);
        assert_eq!(faults.dies_after, expected);
        assert_eq!(faults.gateway.hidden, 0.01);
        assert_eq!(faults.expire_rows_every, Some(Duration::from_secs(60)));
        assert_eq!(faults.stale_reads, Some(Duration::from_millis(500)));
        assert_eq!(faults.hot_partition, Some(1000.0));
        let revoked: Vec<_> = faults
            .revoked
            .iter()
            .map(|revoked| (revoked.function.as_str(), revoked.action.as_str()))
            .collect();
        let expected = [
            ("Notifier", "sqs:SendMessage"),
            ("Notifier", "dynamodb:Query"),
        ];
        assert_eq!(revoked, expected);
    }

    #[test]
    fn invalid_fault_is_refused_with_examples() {
        for fault in [
            "",
            "dance=1",
            "gone",
            "gone=2",
            "gone=x",
            "post-delay=20",
            "throttle=a/1",
            "hot-partition=0",
            "notifier-dies-after=breakfast",
            "notifier-dies-after=row:2",
            "revoke=dynamodb:Query",
        ] {
            let refused = Faults::default().add(fault).expect_err(fault);
            let expected = format!(
                "`{fault}` has an unknown name or an invalid value; use one of post-delay=20ms,"
            );
            assert!(refused.starts_with(&expected), "{refused}");
        }
    }
}
