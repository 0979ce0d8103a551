//! The command line's notation of faults: `gone=0.1`, `post-delay=20ms`.

use std::time::Duration;

use super::{Faults, Step};
use crate::{iam::Revoked, template::Throttle};

/// A fault as the command line has it.
#[derive(Clone, Copy, Debug)]
pub struct Notation {
    /// The name with an example of its value.
    pub example: &'static str,
    /// The effect of the example.
    pub effect: &'static str,
}

/// All faults.
pub const NOTATIONS: [Notation; 16] = [
    Notation {
        example: "post-delay=20ms",
        effect: "every post takes 20 ms longer",
    },
    Notation {
        example: "throttle=100/20",
        effect: "posts beyond 100 a second, 20 at once, get 429; without `/20` the burst is the rate",
    },
    Notation {
        example: "throttle-each=1",
        effect: "the same for the posts to each connection",
    },
    Notation {
        example: "gone=0.1",
        effect: "a tenth of the posts get 410 although the connection is open",
    },
    Notation {
        example: "failing=0.1",
        effect: "a tenth of the posts get 500",
    },
    Notation {
        example: "hidden-posts=0.01",
        effect: "one post of a hundred gets 200 and does not arrive",
    },
    Notation {
        example: "lost-disconnects=0.5",
        effect: "half of the ends of connections invoke no `$disconnect`",
    },
    Notation {
        example: "duplicates=0.1",
        effect: "a tenth of the messages that a queue delivers are delivered again",
    },
    Notation {
        example: "shuffle=on",
        effect: "queues deliver in random order",
    },
    Notation {
        example: "failing-sends=0.1",
        effect: "a tenth of the sends to queues fail",
    },
    Notation {
        example: "kill-notifier=0.1",
        effect: "a tenth of the invocations from queues are killed while they run",
    },
    Notation {
        example: "notifier-dies-after=counter:0.1",
        effect: "the notifier dies after a tenth of these calls, without `:0.1` after each; the others are `row`, \
                 `audience` and `post`",
    },
    Notation {
        example: "expire-rows=60s",
        effect: "all rows of the tables expire every 60 s; not with `--data`",
    },
    Notation {
        example: "stale-reads=500ms",
        effect: "reads of DynamoDB without `ConsistentRead` see a write after 500 ms",
    },
    Notation {
        example: "hot-partition=1000",
        effect: "writes of functions beyond 1,000 units a second to one partition key are throttled",
    },
    Notation {
        example: "revoke=NotifierFunction/dynamodb:Query",
        effect: "the function loses its permission for this action",
    },
];

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
            "expire-rows" => set(&mut self.expire_rows_every, interval(value).map(Some)),
            "revoke" => revoked(value).map(|revoked| self.revoked.push(revoked)),
            _ => None,
        };
        added.ok_or_else(|| {
            format!(
                "`{fault}` has an unknown name or an invalid value; use one of\n{}",
                list()
            )
        })?;
        self.note(fault);
        Ok(())
    }

    /// Keeps the notation of a fault, in place of that of an earlier value.
    fn note(&mut self, fault: &str) {
        self.active
            .retain(|earlier| subject(earlier) != subject(fault));
        self.active.push(fault.to_owned());
    }
}

/// Returns the part of a fault's notation that a later fault must repeat to replace its value.
fn subject(fault: &str) -> &str {
    match fault.split_once('=') {
        Some(("revoke", _)) | None => fault,
        Some(("notifier-dies-after", _)) => fault.split_once(':').map_or(fault, |(step, _)| step),
        Some((name, _)) => name,
    }
}

/// Returns all faults, one a line.
fn list() -> String {
    let lines = NOTATIONS.map(|Notation { example, effect }| format!("  {example:<40}{effect}"));
    lines.join("\n")
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

/// Reads a duration greater than zero.
fn interval(text: &str) -> Option<Duration> {
    duration(text).filter(|interval| !interval.is_zero())
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
    let rate: f64 = rate.parse().ok()?;
    if !rate.is_finite() || rate < 0.0 {
        return None;
    }
    Some(Throttle {
        rate,
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
    fn every_example_is_a_fault() {
        for Notation { example, .. } in NOTATIONS {
            let mut faults = Faults::default();
            assert_eq!(faults.add(example), Ok(()));
            faults.active.clear();
            assert_ne!(faults, Faults::default(), "{example}");
        }
    }

    #[test]
    fn later_value_replaces_an_earlier_one_of_the_same_subject() {
        let mut faults = Faults::default();
        for fault in [
            "gone=0.1",
            "revoke=Notifier/sqs:SendMessage",
            "notifier-dies-after=row:0.1",
            "gone=0.2",
            "revoke=Notifier/dynamodb:Query",
            "notifier-dies-after=post",
            "notifier-dies-after=row",
        ] {
            assert_eq!(faults.add(fault), Ok(()));
        }
        let expected = [
            "revoke=Notifier/sqs:SendMessage",
            "gone=0.2",
            "revoke=Notifier/dynamodb:Query",
            "notifier-dies-after=post",
            "notifier-dies-after=row",
        ];
        assert_eq!(faults.active, expected);
    }

    #[test]
    fn invalid_fault_is_refused_with_the_list_of_faults() {
        for fault in [
            "",
            "dance=1",
            "gone",
            "gone=2",
            "gone=x",
            "post-delay=20",
            "throttle=a/1",
            "throttle=nan/1",
            "throttle=-1/1",
            "expire-rows=0s",
            "hot-partition=0",
            "notifier-dies-after=breakfast",
            "notifier-dies-after=row:2",
            "revoke=dynamodb:Query",
        ] {
            let refused = Faults::default().add(fault).expect_err(fault);
            let expected = format!(
                "`{fault}` has an unknown name or an invalid value; use one of\n  post-delay=20ms "
            );
            assert!(refused.starts_with(&expected), "{refused}");
            let last = "  revoke=NotifierFunction/dynamodb:Query  the function loses its permission for this action";
            assert!(refused.ends_with(last), "{refused}");
        }
    }
}
