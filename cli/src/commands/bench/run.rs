//! A run with open connections: publishing, receiving, and waiting for missing pushes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{
    StreamExt,
    stream::{self, select_all},
};
use herald_client::{Client, ConnectionState, Next, Position, SubscriptionError};
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::{interval, sleep_until, timeout},
};

use super::{
    account::Account,
    events::RunId,
    interrupts::Interrupts,
    order::Order,
    plan::Plan,
    progress::Progress,
    publishing::{Publishing, Transport},
    ramp::Subscriber,
    reconnect::Reconnect,
};
use crate::{
    failure::Failure,
    target::{Target, Usage},
};

/// The interval at which the end of the run is checked and the progress bar is drawn.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The time to wait for repeats when everything has arrived.
const REPEAT_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest time of closing the connections, and the number that is closed at once.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
const CLOSE_CONCURRENCY: usize = 100;

/// The largest number of observations that are recorded in one step.
const MAX_OBSERVATIONS: usize = 1000;

/// An observation for the account.
pub(super) enum Observation {
    /// The next event is about to be published.
    Publishing { at: Instant },
    /// An event was accepted.
    Accepted { event: usize },
    /// An event was refused.
    Refused { event: usize, reason: String },
    /// A push arrived at a connection. `event` is `None` if it belongs to no event of this run.
    Arrived {
        connection: usize,
        event: Option<usize>,
        /// `None` if its entity has no log.
        position: Option<Position>,
        at: Instant,
    },
    /// A client reported that messages of an entity may be lost.
    ReportedLost { entity: usize },
    /// A connection broke.
    Broken { connection: usize },
    /// A connection is open again, with all its subscriptions.
    Live { connection: usize, at: Instant },
}

/// The configuration of a run.
pub(super) struct RunConfig<'a> {
    pub(super) plan: Plan,
    pub(super) run_id: RunId,
    pub(super) message_bytes: usize,
    /// The longest time to wait for missing pushes.
    pub(super) drain: Duration,
    /// Drops all connections at once, halfway through the publishing.
    pub(super) reconnect: bool,
    pub(super) target: &'a Target,
    pub(super) progress: &'a Progress,
    pub(super) interrupts: &'a Interrupts,
}

/// The state of a run.
pub(super) struct Run {
    start: Instant,
    pub(super) account: Account,
    pub(super) order: Order,
    /// The number of times that a connection broke by itself.
    pub(super) broken: u64,
    /// The drop of all connections. `None` before.
    pub(super) reconnect: Option<Reconnect>,
    /// The work of the stack from the drop to the end. `None` if the stack does not count it, or was
    /// restarted.
    pub(super) usage: Option<Usage>,
    /// The reason of the first refused event.
    pub(super) first_refusal: Option<String>,
    last_arrival: Instant,
}

/// Returns the clients of the subscribers, by their numbers.
pub(super) fn clients(plan: &Plan, subscribers: &[Subscriber]) -> Arc<[Option<Client>]> {
    let mut clients = vec![None; plan.connections];
    for subscriber in subscribers {
        clients[subscriber.number] = Some(subscriber.client.clone());
    }
    clients.into()
}

/// Publishes all events, and returns when all pushes have arrived or the time to wait for them is over. The connections
/// stay open.
pub(super) async fn measure(
    config: &RunConfig<'_>,
    transport: Transport,
    subscribers: Vec<Subscriber>,
    clients: &[Option<Client>],
) -> Result<Run, Failure> {
    let RunConfig {
        plan,
        progress,
        interrupts,
        target,
        ..
    } = config;
    let (observations, mut received) = unbounded_channel();
    let mut run = Run::new(*plan, &subscribers);
    let mut readers = JoinSet::new();
    for subscriber in subscribers {
        readers.spawn(read(
            subscriber,
            *plan,
            config.run_id.clone(),
            observations.clone(),
        ));
    }
    let publishing = Publishing {
        plan: *plan,
        run_id: config.run_id.clone(),
        message_bytes: config.message_bytes,
        transport,
        observations: observations.clone(),
    };
    progress.stage("publishing", plan.events());
    let mut publishing = tokio::spawn(publishing.run((*interrupts).clone()));
    let mut poll = interval(POLL_INTERVAL);
    let mut batch = Vec::new();
    let mut drain_until = None;
    let mut usage_before = None;
    let mut drop_is_due = config.reconnect;
    let drop_at = (run.start + plan.duration / 2).into();
    loop {
        tokio::select! {
            // `observations` keeps the channel open.
            _ = received.recv_many(&mut batch, MAX_OBSERVATIONS) => {
                batch.drain(..).for_each(|observation| run.record(observation));
            }
            result = &mut publishing, if drain_until.is_none() => {
                result?;
                drain_until = Some(Instant::now() + config.drain);
                progress.stage("waiting", run.account.totals().expected as usize);
            }
            () = sleep_until(drop_at), if drop_is_due && drain_until.is_none() => {
                drop_is_due = false;
                usage_before = target.usage().await;
                run.drop_all(clients);
            }
            _ = poll.tick() => {
                run.show(progress, drain_until.is_some());
                let now = Instant::now();
                let is_timed_out = drain_until.is_some_and(|until| now >= until);
                let is_over = drain_until.is_some() && run.is_over(now);
                if is_timed_out || is_over || interrupts.count() > 1 {
                    if let Some(before) = usage_before {
                        let usage = target.usage().await;
                        run.usage = usage.and_then(|usage| usage.since(&before));
                    }
                    return Ok(run);
                }
            }
        }
    }
}

/// Closes connections as an application would, so that their rows are deleted.
pub(super) async fn close(clients: &[Option<Client>]) {
    let closing = stream::iter(clients.iter().flatten())
        .for_each_concurrent(CLOSE_CONCURRENCY, |client| client.close(CLOSE_TIMEOUT));
    // The end of the process closes the rest.
    let _ = timeout(CLOSE_TIMEOUT, closing).await;
}

impl Run {
    fn new(plan: Plan, subscribers: &[Subscriber]) -> Self {
        let mut open = vec![false; plan.connections];
        for subscriber in subscribers {
            open[subscriber.number] = true;
        }
        let start = Instant::now();
        Self {
            start,
            account: Account::new(plan, open),
            order: Order::new(plan),
            broken: 0,
            reconnect: None,
            usage: None,
            first_refusal: None,
            last_arrival: start,
        }
    }

    fn record(&mut self, observation: Observation) {
        match observation {
            Observation::Publishing { at } => self.account.publishing(at - self.start),
            Observation::Accepted { event } => self.account.accepted(event),
            Observation::Refused { event, reason } => {
                self.account.refused(event);
                self.first_refusal.get_or_insert(reason);
            }
            Observation::Arrived {
                connection,
                event,
                position,
                at,
            } => {
                let arrival = self.account.arrived(connection, event, at - self.start);
                if let Some((arrival, position)) = arrival.zip(position) {
                    self.order.arrived(arrival, &position);
                }
                self.last_arrival = at;
            }
            Observation::ReportedLost { entity } => self.order.reported_lost(entity),
            Observation::Broken { connection } => {
                let dropped = self.reconnect.as_ref();
                if !dropped.is_some_and(|dropped| dropped.is_away(connection)) {
                    self.broken += 1;
                }
            }
            Observation::Live { connection, at } => {
                if let Some(reconnect) = &mut self.reconnect {
                    reconnect.live(connection, at - self.start);
                }
            }
        }
    }

    /// Breaks every connection without a close.
    fn drop_all(&mut self, clients: &[Option<Client>]) {
        let open: Vec<_> = clients.iter().map(Option::is_some).collect();
        self.reconnect = Some(Reconnect::new(&open, self.start.elapsed()));
        clients.iter().flatten().for_each(Client::break_connection);
    }

    /// Returns true if all connections are back, everything has arrived, and no push for [`REPEAT_TIMEOUT`].
    fn is_over(&self, now: Instant) -> bool {
        let is_back = |dropped: &Reconnect| dropped.returned() == dropped.dropped();
        self.account.is_complete()
            && self.reconnect.as_ref().is_none_or(is_back)
            && now > self.last_arrival + REPEAT_TIMEOUT
    }

    fn show(&self, progress: &Progress, is_draining: bool) {
        let totals = self.account.totals();
        if is_draining {
            progress.set(totals.delivered);
        } else {
            progress.set(totals.published + totals.refused);
            progress.set_message(format!(
                ", {} of {} delivered",
                totals.delivered, totals.expected
            ));
        }
    }
}

/// Observes the pushes and the state of a connection, until its client is closed.
async fn read(
    subscriber: Subscriber,
    plan: Plan,
    run_id: RunId,
    observations: UnboundedSender<Observation>,
) {
    let Subscriber {
        number,
        client,
        subscriptions,
    } = subscriber;
    let observe = |observation| {
        // Fails only when the run is over.
        let _ = observations.send(observation);
    };
    let mut states = client.states();
    // The last subscription may be acknowledged before the state is announced.
    let mut is_open = *states.borrow_and_update() == ConnectionState::Open;
    let entities = plan.entities_of(number);
    let events = entities.zip(subscriptions).map(|(entity, subscription)| {
        let events = stream::unfold(subscription, async |mut subscription| {
            // A subscription that ended has no events any more. Its missing deliveries count as lost.
            match subscription.next_event().await {
                Err(SubscriptionError::Ended(_)) => None,
                event => Some((event, subscription)),
            }
        });
        events.map(move |event| (entity, event)).boxed()
    });
    let mut events = select_all(events);
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some((_, Ok(Next::Message(push)))) => {
                    let at = Instant::now();
                    let event = run_id.event_of(&push, |event| plan.entity_of(event));
                    let position = push.position().cloned();
                    observe(Observation::Arrived { connection: number, event, position, at });
                }
                Some((entity, Ok(Next::Lost(_)))) => observe(Observation::ReportedLost { entity }),
                Some(_) => {}
                None => return,
            },
            Ok(()) = states.changed() => {
                let at = Instant::now();
                let was_open = is_open;
                is_open = *states.borrow_and_update() == ConnectionState::Open;
                // The state also changes between attempts to reconnect. It is open again if both changes came at once.
                if was_open {
                    observe(Observation::Broken { connection: number });
                }
                if is_open {
                    observe(Observation::Live { connection: number, at });
                }
            }
        }
    }
}
