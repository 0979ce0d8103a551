//! A run once its connections are open: publishing, reading, and waiting for the rest.

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
    events::Names,
    interrupts::Interrupts,
    plan::Plan,
    progress::Progress,
    publishing::{Publishing, Way},
    ramp::Participant,
};
use crate::failure::Failure;

/// How often it is looked whether a run is over, and the progress bar is drawn.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long repeats are waited for when everything has arrived.
const QUIET: Duration = Duration::from_secs(1);

/// How long connections may take to close in the end, and how many do so at once.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);
const CLOSE_AT_ONCE: usize = 100;

/// How many happenings are accounted for before anything else is looked at.
const AT_ONCE: usize = 1000;

/// Something that is accounted for.
pub(super) enum Happening {
    /// The next event is about to be published.
    Publishing { at: Instant },
    /// An event was taken.
    Taken { event: usize },
    /// An event was not, for this reason.
    Refused { event: usize, reason: String },
    /// Something arrived at a connection; none: it is no event of this run.
    Arrived {
        connection: usize,
        event: Option<usize>,
        at: Instant,
    },
    /// A connection broke.
    Broke,
}

/// What a run is done with.
pub(super) struct Setting<'a> {
    pub(super) plan: Plan,
    pub(super) names: Names,
    pub(super) message_bytes: usize,
    /// How long what has not arrived is waited for.
    pub(super) drain: Duration,
    pub(super) progress: &'a Progress,
    pub(super) interrupts: &'a Interrupts,
}

/// A run, as far as it has come.
pub(super) struct Run {
    start: Instant,
    pub(super) account: Account,
    /// How often a connection broke.
    pub(super) broken: u64,
    /// Why the first event was refused that was.
    pub(super) first_refusal: Option<String>,
    last_arrival: Instant,
}

/// The clients of the participants, by their numbers.
pub(super) fn clients(plan: &Plan, participants: &[Participant]) -> Arc<[Option<Client>]> {
    let mut clients = vec![None; plan.connections];
    for participant in participants {
        clients[participant.number] = Some(participant.client.clone());
    }
    clients.into()
}

/// Publishes everything, and returns when everything has arrived or nothing more is waited for. The
/// connections are still open.
pub(super) async fn measure(
    setting: &Setting<'_>,
    way: Way,
    participants: Vec<Participant>,
) -> Result<Run, Failure> {
    let Setting {
        plan,
        progress,
        interrupts,
        ..
    } = setting;
    let (happenings, mut received) = unbounded_channel();
    let mut run = Run::new(*plan, &participants);
    let mut readers = JoinSet::new();
    for participant in participants {
        readers.spawn(read(
            participant,
            *plan,
            setting.names.clone(),
            happenings.clone(),
        ));
    }
    let publishing = Publishing {
        plan: *plan,
        names: setting.names.clone(),
        message_bytes: setting.message_bytes,
        way,
        happenings: happenings.clone(),
    };
    progress.stage("publishing", plan.events());
    let mut publishing = tokio::spawn(publishing.run((*interrupts).clone()));
    let mut look = interval(LOOK_EVERY);
    let mut noted = Vec::new();
    let mut drain_until = None;
    loop {
        tokio::select! {
            // There is always a sender: `happenings`.
            _ = received.recv_many(&mut noted, AT_ONCE) => {
                noted.drain(..).for_each(|happening| run.note(happening));
            }
            ended = &mut publishing, if drain_until.is_none() => {
                ended?;
                drain_until = Some(Instant::now() + setting.drain);
                progress.stage("waiting", run.account.totals().expected as usize);
            }
            _ = look.tick() => {
                run.show(progress, drain_until.is_some());
                let now = Instant::now();
                let is_late = drain_until.is_some_and(|until| now >= until);
                let is_over = drain_until.is_some() && run.is_over(now);
                if is_late || is_over || interrupts.times() > 1 {
                    return Ok(run);
                }
            }
        }
    }
}

/// Closes connections as an application would, so that they leave nothing behind.
pub(super) async fn close(clients: &[Option<Client>]) {
    let closing = stream::iter(clients.iter().flatten())
        .for_each_concurrent(CLOSE_AT_ONCE, |client| client.close(CLOSE_WITHIN));
    // Whatever is open then is closed by the end of the process.
    let _ = timeout(CLOSE_WITHIN, closing).await;
}

impl Run {
    fn new(plan: Plan, participants: &[Participant]) -> Self {
        let mut open = vec![false; plan.connections];
        for participant in participants {
            open[participant.number] = true;
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

    fn note(&mut self, happening: Happening) {
        match happening {
            Happening::Publishing { at } => self.account.publishing(at - self.start),
            Happening::Taken { event } => self.account.taken(event),
            Happening::Refused { event, reason } => {
                self.account.refused(event);
                self.first_refusal.get_or_insert(reason);
            }
            Happening::Arrived {
                connection,
                event,
                at,
            } => {
                self.account.arrived(connection, event, at - self.start);
                self.last_arrival = at;
            }
            Happening::Broke => self.broken += 1,
        }
    }

    /// Whether everything has arrived, and nothing has for a while.
    fn is_over(&self, now: Instant) -> bool {
        self.account.is_complete() && now > self.last_arrival + QUIET
    }

    fn show(&self, progress: &Progress, is_draining: bool) {
        let totals = self.account.totals();
        if is_draining {
            progress.set(totals.delivered);
        } else {
            progress.set(totals.published + totals.refused);
            progress.say(format!(
                ", {} of {} delivered",
                totals.delivered, totals.expected
            ));
        }
    }
}

/// Tells of everything that a connection sees, until its client is closed.
async fn read(
    participant: Participant,
    plan: Plan,
    names: Names,
    happenings: UnboundedSender<Happening>,
) {
    let Participant {
        number,
        client,
        subscriptions,
    } = participant;
    let tell = |happening| {
        // Fails only when the run is over.
        let _ = happenings.send(happening);
    };
    let mut states = client.states();
    let mut is_open = true;
    let mut pushes = select_all(subscriptions);
    loop {
        tokio::select! {
            push = pushes.next() => match push {
                Some(Ok(push)) => {
                    let at = Instant::now();
                    let event = names.event_of(&push, |event| plan.entity_of(event));
                    tell(Happening::Arrived { connection: number, event, at });
                }
                // A subscription ended; what is not delivered for that is counted as lost.
                Some(Err(_)) => {}
                None => return,
            },
            Ok(()) = states.changed() => {
                let was_open = is_open;
                is_open = matches!(*states.borrow_and_update(), ConnectionState::Open);
                // It changes again before each attempt.
                if was_open && !is_open {
                    tell(Happening::Broke);
                }
            }
        }
    }
}
