//! A run with open connections: publishing, receiving, and waiting for missing pushes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{
    StreamExt,
    stream::{self, select_all},
};
use herald_client::{Client, ConnectionState};
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::{interval, timeout},
};

use super::{
    account::Account,
    events::RunId,
    interrupts::Interrupts,
    plan::Plan,
    progress::Progress,
    publishing::{Publishing, Transport},
    ramp::Subscriber,
};
use crate::failure::Failure;

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
        at: Instant,
    },
    /// A connection broke.
    Broken,
}

/// The configuration of a run.
pub(super) struct RunConfig<'a> {
    pub(super) plan: Plan,
    pub(super) run_id: RunId,
    pub(super) message_bytes: usize,
    /// The longest time to wait for missing pushes.
    pub(super) drain: Duration,
    pub(super) progress: &'a Progress,
    pub(super) interrupts: &'a Interrupts,
}

/// The state of a run.
pub(super) struct Run {
    start: Instant,
    pub(super) account: Account,
    /// The number of times that a connection broke.
    pub(super) broken: u64,
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
) -> Result<Run, Failure> {
    let RunConfig {
        plan,
        progress,
        interrupts,
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
            _ = poll.tick() => {
                run.show(progress, drain_until.is_some());
                let now = Instant::now();
                let is_timed_out = drain_until.is_some_and(|until| now >= until);
                let is_over = drain_until.is_some() && run.is_over(now);
                if is_timed_out || is_over || interrupts.count() > 1 {
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
            broken: 0,
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
                at,
            } => {
                self.account.arrived(connection, event, at - self.start);
                self.last_arrival = at;
            }
            Observation::Broken => self.broken += 1,
        }
    }

    /// Whether everything has arrived, and no repeat arrived for a while.
    fn is_over(&self, now: Instant) -> bool {
        self.account.is_complete() && now > self.last_arrival + REPEAT_TIMEOUT
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
    let mut is_open = true;
    let mut pushes = select_all(subscriptions);
    loop {
        tokio::select! {
            push = pushes.next() => match push {
                Some(Ok(push)) => {
                    let at = Instant::now();
                    let event = run_id.event_of(&push, |event| plan.entity_of(event));
                    observe(Observation::Arrived { connection: number, event, at });
                }
                // A subscription ended. Its missing deliveries count as lost.
                Some(Err(_)) => {}
                None => return,
            },
            Ok(()) = states.changed() => {
                let was_open = is_open;
                is_open = matches!(*states.borrow_and_update(), ConnectionState::Open);
                // The state also changes between attempts to reconnect.
                if was_open && !is_open {
                    observe(Observation::Broken);
                }
            }
        }
    }
}
