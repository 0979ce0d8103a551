//! The work of presence. `functions/tests/end_to_end/presence/units.rs` measures the units of each operation.

use super::{
    DAYS, GATEWAY_STEP, GB, LISTENER_ROW_BYTES, LOG_BYTES_OF_DELIVERY, MIN_NOTIFIER_TIME, MINUTES,
    NOTIFIER_GB, POSTS_PER_SECOND, QUEUE_REQUESTS_FOR_DELIVERY, READ_BYTES, Usage, Work, steps,
};

/// The units of a member who joins and later leaves: the member's row twice with a look at the set before, and the
/// notifier's mark, retirement and removal.
const READS_FOR_MEMBER: f64 = 2.0;
const WRITES_FOR_MEMBER: f64 = 5.0;

/// The writes of a flush: its schedule, its beginning, and its commit.
const WRITES_FOR_FLUSH: f64 = 3.0;

/// A renewal is a second connection that joins and a first one that leaves. The flush of each tells nothing.
const FLUSHES_FOR_RENEWAL: f64 = 2.0;
/// Both write the member's row; the flushes mark the one and remove the other.
const READS_FOR_RENEWAL: f64 = 2.0;
const WRITES_FOR_RENEWAL: f64 = 4.0;

/// A flush of the next expiry: its schedule and its beginning.
const WRITES_FOR_WATCH: f64 = 2.0;
/// The minutes after which a member row ends.
const MEMBER_LIFETIME: f64 = 10.0;

/// A ping reads the connection's row, and each of its member rows, eventually consistent.
const READS_FOR_PING: f64 = 1.0;
const READS_FOR_PINGED_MEMBER: f64 = 0.5;
/// A ping writes a member row only if so many minutes have passed since the last write.
const MINUTES_WITHOUT_WRITE: f64 = 2.0;

/// The size of a member row with UUIDs for entity and user, without `info`.
const MEMBER_ROW_BYTES: f64 = 140.0;
/// The assumed bytes of a frame.
const FRAME_BYTES: f64 = 300.0;

/// The entities with presence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::commands::cost) struct Presence {
    /// Subscriptions of each connection to such entities.
    pub(in crate::commands::cost) subscriptions: f64,
    /// Joins of all entities, and as many leaves, without renewals of connections.
    pub(in crate::commands::cost) joins_a_day: f64,
    /// Frames of all entities.
    pub(in crate::commands::cost) frames_a_minute: f64,
    /// Members of one entity, each of which watches the others.
    pub(in crate::commands::cost) watchers: f64,
}

/// The flushes of a month.
struct Flushes {
    /// Those with a frame.
    told: f64,
    /// Those of renewals, without a frame.
    untold: f64,
    /// Those of the next expiry.
    watches: f64,
}

impl Presence {
    /// No entity has presence.
    #[cfg(test)]
    pub(in crate::commands::cost) const OFF: Self = Self {
        subscriptions: 0.0,
        joins_a_day: 0.0,
        frames_a_minute: 0.0,
        watchers: 1.0,
    };
}

impl Flushes {
    fn all(&self) -> f64 {
        self.told + self.untold + self.watches
    }
}

impl Usage {
    /// Adds the work of presence.
    pub(super) fn with_presence(&self, work: Work, connects: f64, pings: f64) -> Work {
        let presence = self.presence;
        let work = self.with_member_renewals(work, pings);
        let renewals = connects * presence.subscriptions;
        let members = presence.joins_a_day * DAYS;
        let flushes = self.flushes(renewals);
        let pushes = flushes.told * presence.watchers;
        let member_reads = (presence.watchers * MEMBER_ROW_BYTES / READ_BYTES).ceil();
        let audience_reads = (presence.watchers * LISTENER_ROW_BYTES / READ_BYTES).ceil();
        let post_time = MIN_NOTIFIER_TIME.max(presence.watchers / POSTS_PER_SECOND);
        Work {
            gateway_messages: work.gateway_messages + pushes * steps(FRAME_BYTES, GATEWAY_STEP),
            lambda_requests: work.lambda_requests + flushes.all(),
            lambda_gb_seconds: work.lambda_gb_seconds
                + NOTIFIER_GB
                    * (post_time * flushes.told
                        + MIN_NOTIFIER_TIME * (flushes.untold + flushes.watches)),
            write_units: work.write_units
                + members * WRITES_FOR_MEMBER
                + renewals * WRITES_FOR_RENEWAL
                + (flushes.told + flushes.untold) * WRITES_FOR_FLUSH
                + flushes.watches * WRITES_FOR_WATCH,
            read_units: work.read_units
                + members * READS_FOR_MEMBER
                + renewals * READS_FOR_RENEWAL
                + flushes.all() * member_reads
                + flushes.told * audience_reads,
            queue_requests: work.queue_requests + flushes.all() * QUEUE_REQUESTS_FOR_DELIVERY,
            log_gb: work.log_gb + flushes.told * LOG_BYTES_OF_DELIVERY / GB,
            out_gb: work.out_gb + pushes * FRAME_BYTES / GB,
            ..work
        }
    }

    /// Adds the renewals of member rows by pings. A ping more often than every two minutes does not write each time.
    fn with_member_renewals(&self, work: Work, pings: f64) -> Work {
        let members = self.presence.subscriptions;
        if members == 0.0 {
            return work;
        }
        let writes = pings.min(self.connections * MINUTES / MINUTES_WITHOUT_WRITE);
        Work {
            read_units: work.read_units
                + pings * (READS_FOR_PING + READS_FOR_PINGED_MEMBER * members),
            write_units: work.write_units + writes * members,
            ..work
        }
    }

    fn flushes(&self, renewals: f64) -> Flushes {
        let presence = self.presence;
        let entities = self.connections * presence.subscriptions / presence.watchers;
        // The first row of many members to end was written almost a ping's interval ago.
        let pause = self
            .ping_every
            .map_or(0.0, |pause| pause.as_secs_f64() / 60.0);
        let watched = (MEMBER_LIFETIME - pause).max(1.0);
        Flushes {
            told: presence.frames_a_minute * MINUTES,
            untold: renewals * FLUSHES_FOR_RENEWAL,
            watches: entities * MINUTES / watched,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::commands::cost::usage::tests::NOTHING;

    /// One connection that is open all month, and pings every four minutes.
    const PLAIN: Usage = Usage {
        connections: 1.0,
        subscriptions: 1.0,
        ping_every: Some(Duration::from_secs(4 * 60)),
        ..NOTHING
    };

    fn with(presence: Presence) -> Work {
        Usage { presence, ..PLAIN }.work()
    }

    /// The units are those that `functions/tests/end_to_end/presence/units.rs` measures.
    #[test]
    fn frame_of_one_change_has_the_units_of_its_operations() {
        let before = PLAIN.work();
        // A join is one frame, and a leave another.
        let after = with(Presence {
            joins_a_day: 1.0 / DAYS,
            frames_a_minute: 2.0 / MINUTES,
            ..Presence::OFF
        });
        // First join 1 and 2, its flush 1 and 3, first leave 1 and 2, its flush 1 and 4, and the audience twice.
        assert_eq!((after.read_units - before.read_units).round(), 6.0);
        assert_eq!((after.write_units - before.write_units).round(), 11.0);
        assert_eq!(
            (after.gateway_messages - before.gateway_messages).round(),
            2.0
        );
        assert_eq!((after.queue_requests - before.queue_requests).round(), 6.0);
        assert_eq!(
            (after.lambda_requests - before.lambda_requests).round(),
            2.0
        );
    }

    #[test]
    fn member_who_stays_costs_pings_renewals_and_watches() {
        let before = PLAIN.work();
        let after = with(Presence {
            subscriptions: 1.0,
            ..Presence::OFF
        });
        let (pings, renewals, watches) = (10_800.0, 360.0, 7_200.0);
        assert_eq!(after.gateway_messages, before.gateway_messages);
        // Join and leave of a renewal: 1 and 2 each, with a flush of 1 and 3 each.
        let reads = pings * 1.5 + renewals * 4.0 + watches;
        assert_eq!(after.read_units - before.read_units, reads);
        let writes = pings + renewals * 10.0 + watches * 2.0;
        assert_eq!(after.write_units - before.write_units, writes);
        let invocations = after.lambda_requests - before.lambda_requests;
        assert_eq!(invocations, renewals * 2.0 + watches);
    }

    #[test]
    fn pings_of_every_second_write_a_member_row_every_two_minutes() {
        let usage = Usage {
            ping_every: Some(Duration::from_secs(1)),
            ..PLAIN
        };
        let pings = 2_592_000.0;
        let nothing = usage.work();
        let work = Usage {
            presence: Presence {
                subscriptions: 1.0,
                ..Presence::OFF
            },
            ..usage
        };
        let renewed = work.with_member_renewals(nothing, pings);
        assert_eq!(renewed.write_units - nothing.write_units, 21_600.0);
    }
}
