//! The formula of `docs/cost.md`: the work that AWS bills for the usage of a stack. It contains no prices.

mod presence;

use std::time::Duration;

pub(super) use presence::Presence;

/// The days of a month.
pub(super) const DAYS: f64 = 30.0;

const MINUTES: f64 = DAYS * 24.0 * 60.0;

/// The connects per month of a connection that is always open: the gateway closes it after two hours.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
const CONNECTS: f64 = MINUTES / 120.0;

/// The authorizer, `connect` and later `disconnect`.
const INVOCATIONS_FOR_CONNECT: f64 = 3.0;

/// The memory of the functions in the template, in GB.
const SMALL_FUNCTION_GB: f64 = 0.25;
const NOTIFIER_GB: f64 = 0.5;

/// Assumed durations, in seconds.
const SMALL_FUNCTION_TIME: f64 = 0.005;
const MIN_NOTIFIER_TIME: f64 = 0.05;

/// Posts a second of one notifier, measured locally with 100 concurrent posts of 20 ms each.
const POSTS_PER_SECOND: f64 = 4400.0;

/// The rows of a connection without its subscriptions: its own, its user's, and everyone's.
const ROWS_OF_CONNECTION: f64 = 3.0;
/// The rate limiter writes a row for each message and each frame that subscribes.
const WRITES_FOR_CHARGE: f64 = 1.0;
/// The size of the connection's own row: without subscriptions, and for each subscription to a UUID. A write costs one unit
/// for each kilobyte.
const CONNECTION_ROW_BYTES: f64 = 300.0;
const ENTITY_BYTES: f64 = 37.0;
const WRITE_BYTES: f64 = 1024.0;

/// A connect reads the user's connections.
const READS_FOR_CONNECT: f64 = 1.0;
/// The rate limiter reads the connection's row, and a subscribe reads it again after it has stored the rows of the
/// subscriptions.
const READS_FOR_MESSAGE: f64 = 1.0;
const READS_FOR_SUBSCRIBE: f64 = 2.0;
/// The size of a listener row of an entity whose id is a UUID: `docs/delivery.md`.
const LISTENER_ROW_BYTES: f64 = 111.0;
/// The bytes of a read unit, with consistent reads.
const READ_BYTES: f64 = 4096.0;

/// The units of a log, with the parameter `History`: an event writes the log's head, and a row with its frame, its position and
/// the row's other attributes. A subscribe reads the head of each entity.
const WRITES_FOR_HEAD: f64 = 1.0;
const ROW_BYTES: f64 = 170.0;
const POSITION_BYTES: f64 = 36.0;
const READS_FOR_HEAD: f64 = 1.0;
/// A `sync` reads the heads eventually consistent. A ping reads nothing, and is not charged.
const READS_FOR_SYNCED_HEAD: f64 = 0.5;
/// The assumed time of both writes, in seconds.
const LOG_TIME: f64 = 0.01;

/// A connection opens and ends; so does each of its subscriptions.
const BACKEND_EVENTS_OF_EACH: f64 = 2.0;
/// The assumed time of a call that puts events for the backend, in seconds.
const PUT_TIME: f64 = 0.02;

/// The largest number of entities that Herald's clients put in one subscribe frame.
const ENTITIES_OF_FRAME: f64 = 100.0;

/// Send, receive and delete.
const QUEUE_REQUESTS_FOR_DELIVERY: f64 = 3.0;
/// The requests of Lambda's pollers while the queue is empty.
const QUEUE_REQUESTS_WHEN_IDLE: f64 = 650_000.0;

/// The bytes that are billed as one message, request or event.
const GATEWAY_STEP: f64 = 32.0 * 1024.0;
const QUEUE_STEP: f64 = 64.0 * 1024.0;
const BUS_STEP: f64 = 64.0 * 1024.0;

/// Assumed bytes of a reply to a client, and of the notifier's two log lines. Other successful invocations log nothing,
/// because the template turns Lambda's own lines off.
const REPLY_BYTES: f64 = 150.0;
const LOG_BYTES_OF_DELIVERY: f64 = 1200.0;

const GB: f64 = 1e9;

/// The usage of a stack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Usage {
    /// Connections that are open on average.
    pub(super) connections: f64,
    /// Events from EventBridge.
    pub(super) events: Events,
    /// Connections that receive one event or message.
    pub(super) audience: f64,
    /// Subscriptions of each connection.
    pub(super) subscriptions: f64,
    /// Bytes of a pushed frame.
    pub(super) message_bytes: f64,
    /// Interval of the pings of a connection. `None` for no pings.
    pub(super) ping_every: Option<Duration>,
    /// Messages a day that each connection sends.
    pub(super) messages_a_day: f64,
    /// Messages that servers publish over HTTP.
    pub(super) published: Published,
    /// Clients that poll, beside the connections, with a log for every audience.
    pub(super) polling: Polling,
    /// True if every audience has a log, and clients send `sync` in place of pings.
    pub(super) history: bool,
    /// The changes that are events for the backend.
    pub(super) backend_events: BackendEvents,
    /// The entities with presence.
    pub(super) presence: Presence,
}

/// The changes that are events for the backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BackendEvents {
    /// The beginning and the end of each connection.
    pub(super) connections: bool,
    /// The beginning and the end of each subscription.
    pub(super) subscriptions: bool,
}

/// Messages that servers publish over HTTP.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Published {
    pub(super) a_day: f64,
    /// The messages of one request.
    pub(super) a_request: f64,
}

/// Clients that poll.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Polling {
    /// Clients that poll all month.
    pub(super) clients: f64,
    /// The average pause between two polls.
    pub(super) every: Duration,
}

/// The number of events from EventBridge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Events {
    /// Events a day.
    ADay(f64),
    /// The events that cause this many pushes per day to each connection.
    PushesADay(f64),
}

/// The quantities that AWS bills in a month.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Work {
    pub(super) connection_minutes: f64,
    pub(super) gateway_messages: f64,
    pub(super) lambda_requests: f64,
    pub(super) lambda_gb_seconds: f64,
    pub(super) write_units: f64,
    pub(super) read_units: f64,
    pub(super) queue_requests: f64,
    pub(super) bus_events: f64,
    pub(super) log_gb: f64,
    pub(super) out_gb: f64,
}

impl Usage {
    /// Computes the work of a month.
    pub(super) fn work(&self) -> Work {
        let connects = self.connections * CONNECTS;
        let subscribes = connects * (self.subscriptions / ENTITIES_OF_FRAME).ceil();
        let pings = self.ping_every.map_or(0.0, |pause| {
            self.connections * MINUTES * 60.0 / pause.as_secs_f64()
        });
        let messages = self.connections * self.messages_a_day * DAYS;
        let requests = pings + subscribes + messages;

        let events = self.events_a_month();
        let published = self.published.a_day * DAYS;
        let publish_requests = published / self.published.a_request;
        let deliveries = events + messages + published;
        let pushes = deliveries * self.audience;
        let small_invocations = requests + INVOCATIONS_FOR_CONNECT * connects + publish_requests;
        let notifier_time = MIN_NOTIFIER_TIME.max(self.audience / POSTS_PER_SECOND);
        let audience_reads = (self.audience * LISTENER_ROW_BYTES / READ_BYTES).ceil();
        let rows = connects * (ROWS_OF_CONNECTION + self.subscriptions);
        let row_bytes = CONNECTION_ROW_BYTES + ENTITY_BYTES * self.subscriptions;
        let writes_for_row = (row_bytes / WRITE_BYTES).ceil();

        let work = Work {
            connection_minutes: self.connections * MINUTES,
            // A message is as large as its pushes. All other requests are small.
            gateway_messages: (pings + subscribes + requests)
                + messages * steps(self.message_bytes, GATEWAY_STEP)
                + pushes * steps(self.frame_bytes(), GATEWAY_STEP),
            lambda_requests: small_invocations + deliveries,
            lambda_gb_seconds: SMALL_FUNCTION_GB * SMALL_FUNCTION_TIME * small_invocations
                + NOTIFIER_GB * notifier_time * deliveries,
            // Each row is written once and deleted once. The connection's own row is written again with each subscribe
            // frame, and its deletion costs its full size.
            write_units: 2.0 * rows
                + connects * (writes_for_row - 1.0)
                + subscribes * (WRITES_FOR_CHARGE + writes_for_row)
                + messages * WRITES_FOR_CHARGE,
            read_units: connects * READS_FOR_CONNECT
                + subscribes * READS_FOR_SUBSCRIBE
                + messages * READS_FOR_MESSAGE
                + deliveries * audience_reads,
            queue_requests: deliveries
                * QUEUE_REQUESTS_FOR_DELIVERY
                * steps(self.message_bytes, QUEUE_STEP)
                + QUEUE_REQUESTS_WHEN_IDLE,
            bus_events: events * steps(self.message_bytes, BUS_STEP),
            log_gb: deliveries * LOG_BYTES_OF_DELIVERY / GB,
            out_gb: (pushes * self.frame_bytes() + (requests + publish_requests) * REPLY_BYTES)
                / GB,
        };
        let work = match self.history {
            false => work,
            true => self.with_logs(work, events, messages + published, connects, pings),
        };
        let work = self.with_backend_events(work, connects, subscribes);
        let work = self.with_presence(work, connects, pings);
        self.with_polls(work, deliveries)
    }

    /// Adds the events for the backend. The functions `connect` and `subscribe` each put theirs, and
    /// `disconnect` puts both ends at once.
    fn with_backend_events(&self, work: Work, connects: f64, subscribes: f64) -> Work {
        let BackendEvents {
            connections,
            subscriptions,
        } = self.backend_events;
        let if_put = |put: bool, number: f64| if put { number } else { 0.0 };
        let events =
            if_put(connections, connects) + if_put(subscriptions, connects * self.subscriptions);
        let puts = if_put(connections, connects)
            + if_put(subscriptions, subscribes)
            + if_put(connections || subscriptions, connects);
        Work {
            bus_events: work.bus_events + BACKEND_EVENTS_OF_EACH * events,
            lambda_gb_seconds: work.lambda_gb_seconds + SMALL_FUNCTION_GB * PUT_TIME * puts,
            ..work
        }
    }

    /// Adds the work of the clients that poll. Each gets as many messages as a connection does.
    fn with_polls(&self, work: Work, deliveries: f64) -> Work {
        let polls = self.polling.clients * MINUTES * 60.0 / self.polling.every.as_secs_f64();
        let received = match self.connections > 0.0 {
            true => deliveries * self.audience / self.connections * self.polling.clients,
            false => 0.0,
        };
        let row_reads = ((self.frame_bytes() + ROW_BYTES) / READ_BYTES).ceil();
        Work {
            lambda_requests: work.lambda_requests + polls,
            lambda_gb_seconds: work.lambda_gb_seconds
                + SMALL_FUNCTION_GB * SMALL_FUNCTION_TIME * polls,
            write_units: work.write_units + polls * WRITES_FOR_CHARGE,
            read_units: work.read_units
                + polls * READS_FOR_SYNCED_HEAD * self.subscriptions
                + received * (READS_FOR_HEAD + row_reads),
            out_gb: work.out_gb + (polls * REPLY_BYTES + received * self.frame_bytes()) / GB,
            ..work
        }
    }

    /// Adds the work of the logs.
    fn with_logs(&self, work: Work, events: f64, messages: f64, connects: f64, syncs: f64) -> Work {
        let row_bytes = self.frame_bytes() + ROW_BYTES;
        let writes_for_event = WRITES_FOR_HEAD + (row_bytes / WRITE_BYTES).ceil();
        let reads_for_sync = READS_FOR_MESSAGE + READS_FOR_SYNCED_HEAD * self.subscriptions;
        Work {
            write_units: work.write_units
                + (events + messages) * writes_for_event
                + syncs * WRITES_FOR_CHARGE,
            read_units: work.read_units
                + connects * self.subscriptions * READS_FOR_HEAD
                + syncs * reads_for_sync,
            lambda_gb_seconds: work.lambda_gb_seconds
                + LOG_TIME * (NOTIFIER_GB * events + SMALL_FUNCTION_GB * messages),
            ..work
        }
    }

    /// Returns the bytes of a pushed frame with its position, if it has one.
    fn frame_bytes(&self) -> f64 {
        self.message_bytes + if self.history { POSITION_BYTES } else { 0.0 }
    }

    fn events_a_month(&self) -> f64 {
        DAYS * match self.events {
            Events::ADay(events) => events,
            Events::PushesADay(pushes) => pushes * self.connections / self.audience,
        }
    }
}

/// Returns how many units so many bytes are billed as, in steps of `step` bytes.
fn steps(bytes: f64, step: f64) -> f64 {
    (bytes / step).ceil().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const NOTHING: Usage = Usage {
        connections: 0.0,
        events: Events::ADay(0.0),
        audience: 1.0,
        subscriptions: 0.0,
        message_bytes: 500.0,
        ping_every: None,
        messages_a_day: 0.0,
        published: Published {
            a_day: 0.0,
            a_request: 1.0,
        },
        polling: Polling {
            clients: 0.0,
            every: Duration::from_secs(15),
        },
        history: false,
        backend_events: BackendEvents {
            connections: false,
            subscriptions: false,
        },
        presence: Presence::OFF,
    };

    #[test]
    fn no_connections_cost_only_the_pollers() {
        let work = NOTHING.work();
        assert_eq!(work.queue_requests, 650_000.0);
        assert_eq!(work.gateway_messages + work.lambda_requests, 0.0);
        assert_eq!(work.write_units + work.read_units + work.out_gb, 0.0);
    }

    #[test]
    fn events_a_day_equal_pushes_a_day_for_the_audience() {
        let usage = Usage {
            connections: 1000.0,
            audience: 50.0,
            ..NOTHING
        };
        let events = |events| Usage { events, ..usage }.work();
        assert_eq!(
            events(Events::ADay(200.0)),
            events(Events::PushesADay(10.0))
        );
        assert_eq!(events(Events::ADay(200.0)).bus_events, 6000.0);
    }

    #[test]
    fn large_message_is_billed_as_several() {
        for (bytes, gateway, queue, bus) in [
            (1.0, 1.0, 3.0, 1.0),
            (32_768.0, 1.0, 3.0, 1.0),
            (32_769.0, 2.0, 3.0, 1.0),
            (65_537.0, 3.0, 6.0, 2.0),
            (131_072.0, 4.0, 6.0, 2.0),
        ] {
            let work = Usage {
                events: Events::ADay(1.0 / DAYS),
                message_bytes: bytes,
                ..NOTHING
            }
            .work();
            let counted = (
                work.gateway_messages,
                work.queue_requests - QUEUE_REQUESTS_WHEN_IDLE,
                work.bus_events,
            );
            assert_eq!(counted, (gateway, queue, bus), "{bytes} bytes");
        }
    }

    #[test]
    fn client_message_is_billed_as_request_and_delivery_without_the_bus() {
        let connected = Usage {
            connections: 1.0,
            audience: 10.0,
            ..NOTHING
        };
        let sending = Usage {
            messages_a_day: 1.0,
            ..connected
        };
        let (before, after) = (connected.work(), sending.work());
        // The message, its reply and ten pushes, on thirty days.
        assert_eq!(after.gateway_messages - before.gateway_messages, 360.0);
        assert_eq!(after.lambda_requests - before.lambda_requests, 60.0);
        assert_eq!(after.write_units - before.write_units, 30.0);
        // The connection's row and the audience, on thirty days.
        assert_eq!(after.read_units - before.read_units, 60.0);
        assert_eq!(after.queue_requests - before.queue_requests, 90.0);
        // Thirty deliveries: requests log nothing.
        assert_eq!((before.log_gb, after.log_gb), (0.0, 0.000_036));
        assert_eq!(after.bus_events, 0.0);
    }

    /// The units are those of single operations in `docs/cost.md`.
    #[test]
    fn log_adds_the_units_of_its_operations() {
        let added = |usage: Usage| {
            let with_history = Usage {
                history: true,
                ..usage
            };
            let (before, after) = (usage.work(), with_history.work());
            (
                after.write_units - before.write_units,
                after.read_units - before.read_units,
            )
        };
        let event = Usage {
            events: Events::ADay(1.0 / DAYS),
            ..NOTHING
        };
        assert_eq!(added(event), (2.0, 0.0));
        let long = Usage {
            message_bytes: 2_500.0,
            ..event
        };
        assert_eq!(added(long), (4.0, 0.0));
        let message = Usage {
            connections: 1.0,
            messages_a_day: 1.0 / DAYS,
            ..NOTHING
        };
        assert_eq!(added(message), (2.0, 0.0));
        let connected = Usage {
            connections: 1.0,
            subscriptions: 5.0,
            ..NOTHING
        };
        // One head for each of five subscriptions, in 360 connects.
        assert_eq!(added(connected), (0.0, 1_800.0));
        let idle = Usage {
            ping_every: Some(Duration::from_secs(9 * 60)),
            ..connected
        };
        // 4,800 times the charge, and five heads for half a unit each.
        assert_eq!(added(idle), (4_800.0, 1_800.0 + 4_800.0 * 3.5));
    }

    #[test]
    fn published_message_is_billed_as_request_and_delivery_without_gateway_and_bus() {
        let publishing = |a_request| {
            let published = Published {
                a_day: 10.0,
                a_request,
            };
            Usage {
                published,
                ..NOTHING
            }
            .work()
        };
        let (singly, in_tens) = (publishing(1.0), publishing(10.0));
        // 300 deliveries to one connection each.
        assert_eq!(singly.gateway_messages, 300.0);
        assert_eq!(singly.lambda_requests, 600.0);
        assert_eq!(singly.queue_requests - QUEUE_REQUESTS_WHEN_IDLE, 900.0);
        assert_eq!((singly.bus_events, singly.write_units), (0.0, 0.0));
        assert_eq!(in_tens.lambda_requests, 330.0);
        assert_eq!(in_tens.queue_requests, singly.queue_requests);
    }

    #[test]
    fn poll_is_billed_as_request_charge_and_heads() {
        let polling = Usage {
            polling: Polling {
                clients: 1.0,
                every: Duration::from_secs(15),
            },
            subscriptions: 5.0,
            ..NOTHING
        };
        let work = polling.work();
        // Four a minute.
        let polls = 172_800.0;
        assert_eq!((work.lambda_requests, work.write_units), (polls, polls));
        assert_eq!(work.read_units, polls * 2.5);
        assert_eq!(work.connection_minutes + work.gateway_messages, 0.0);
        // A connection's ten pushes a day are ten messages that a client that polls reads.
        let beside = |clients| {
            let events = Events::PushesADay(10.0);
            let polling = Polling {
                clients,
                ..polling.polling
            };
            Usage {
                connections: 1.0,
                events,
                polling,
                ..NOTHING
            }
            .work()
        };
        let (without, with) = (beside(0.0), beside(1.0));
        assert_eq!(with.read_units - without.read_units, 600.0);
        assert_eq!(with.gateway_messages, without.gateway_messages);
    }

    #[test]
    fn each_change_for_the_backend_is_two_events_and_time_of_its_functions() {
        let connected = Usage {
            connections: 1.0,
            subscriptions: 5.0,
            ..NOTHING
        };
        let before = connected.work();
        let mut found = Vec::new();
        for (connections, subscriptions) in [(true, false), (false, true), (true, true)] {
            let backend_events = BackendEvents {
                connections,
                subscriptions,
            };
            let after = Usage {
                backend_events,
                ..connected
            }
            .work();
            let seconds = (after.lambda_gb_seconds - before.lambda_gb_seconds) / SMALL_FUNCTION_GB;
            found.push((after.bus_events, (seconds / PUT_TIME).round()));
            assert_eq!(after.lambda_requests, before.lambda_requests);
            assert_eq!(after.write_units, before.write_units);
        }
        // 360 connects a month.
        assert_eq!(
            found,
            [(720.0, 720.0), (3_600.0, 720.0), (4_320.0, 1_080.0)]
        );
    }

    #[test]
    fn position_in_a_push_counts_as_bytes_of_the_frame() {
        let usage = Usage {
            events: Events::ADay(1.0 / DAYS),
            message_bytes: 32_768.0,
            history: true,
            ..NOTHING
        };
        assert_eq!(usage.work().gateway_messages, 2.0);
        assert_eq!(usage.work().out_gb, 32_804.0 / GB);
    }
}
