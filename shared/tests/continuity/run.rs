//! One run of a world: its notifiers and clients, and the choices of the scheduler.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::Poll,
    time::{Duration, SystemTime},
};

use herald_shared::{
    audience::{Audience, Range},
    ids::{ConnectionId, EntityId},
    log::{
        Budget, Consistency, EventTag, Head, History, Log, LogPolicy, LogRows, Message, Position,
        Published, Reach, Start, publish, subscribe,
    },
    store::{
        Connection, Connections, ReadAudience, Rows, Subscribed, Subscription, memory::MemoryRows,
    },
};
use serde_json::value::RawValue;

use super::{
    client::{Arrived, Client, Event, Reply},
    scheduled_log::{LAGGING_READ, ScheduledLog},
    scheduler::{Actor, PendingRequest, Permit, Scheduled, Scheduler, SchedulerState, Ticket},
    worlds::World,
};

/// One step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Choice {
    /// A request gets its permit. A post whose answer is lost never arrives.
    Request(Ticket, Permit),
    /// A notifier stops. SQS brings its event again, unless that was the last time.
    Crash(Actor, Again),
    /// A push arrives: the first of those on their way, or a later one.
    Push(usize),
    /// The reply to a client arrives.
    Reply(usize),
    /// A client asks what it missed, after a moment or so late that holes may be filled.
    Sync(usize, Moment),
}

/// The handling of an event by SQS after a failed delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Again {
    Redelivery,
    DeadLetter,
}

/// The moment of a `sync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Moment {
    Soon,
    Late,
}

/// The progress of a notifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Running,
    Done,
    Dead,
}

/// The end of a function.
enum Ended {
    Notified,
    Replied(Reply),
}

type Running<'a> = Pin<Box<dyn Future<Output = Ended> + 'a>>;

/// A push on its way to a client.
pub(crate) type Flight = Rc<RefCell<BTreeSet<(usize, Arrived)>>>;

/// The notifiers and clients of a run, and what may still go wrong. Notifiers are the first actors, then
/// clients.
pub(crate) struct Run<'a, L> {
    pub(crate) world: World,
    listeners: &'a MemoryRows,
    pub(crate) log: &'a Log<L>,
    history: History,
    policy: LogPolicy,
    /// The head from before the events.
    old_head: Option<Head>,
    pub(crate) scheduler: Scheduler,
    /// The events of each notifier.
    batches: Vec<Vec<Event>>,
    pub(crate) notifiers: Vec<State>,
    /// The times that SQS may still bring each event.
    pub(crate) receives: Vec<usize>,
    pub(crate) clients: Vec<Client>,
    pub(crate) replies: Vec<Option<Reply>>,
    running: Vec<Option<Running<'a>>>,
    /// The position and the moment of each client's request that runs.
    pub(crate) asked: Vec<Option<(Position, Moment)>>,
    pub(crate) flight: Flight,
    pub(crate) budgets: Budgets,
}

/// The faults that may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budgets {
    crashes: usize,
    lost_posts: usize,
    lost_answers: usize,
    stale_reads: usize,
    syncs: usize,
}

const POST: &str = "post";

/// The requests that no other function notices, and that notice none: those to the connection's own row.
const UNNOTICED: [&str; 2] = ["add to the set", "read the connection"];

/// The times that SQS brings an event.
const RECEIVES: usize = 2;

pub(crate) fn audience() -> Audience {
    Audience::Entity(entity())
}

fn entity() -> EntityId {
    EntityId::new("order-1").expect("an id")
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000)
}

fn connection(client: usize) -> ConnectionId {
    ConnectionId::new(format!("client-{client}")).expect("an id")
}

/// The connection of the first client as its connect stores it.
pub(crate) fn opened() -> Connection {
    opened_by(0)
}

fn opened_by(client: usize) -> Connection {
    Connection {
        id: connection(client),
        connected_at: now(),
        ip_address: None,
        user_agent: None,
        user: None,
        token_expires_at: None,
    }
}

/// Returns the id of an event. The slot of the first is that of all, if the world says so.
fn event_id(event: Event, world: &World) -> String {
    let ids = (0..).map(|number| format!("event-{event}-{number}"));
    let slot = EventTag::of("event-0-0").slot;
    let mut ids = ids.filter(|id| !world.one_slot || EventTag::of(id).slot == slot);
    ids.next().expect("an id in every slot")
}

fn frame(event: Event) -> Box<RawValue> {
    RawValue::from_string(format!(r#"{{"event":{event}}}"#)).expect("JSON")
}

/// The event of the message that a log has from the start.
const BEFORE: Event = 99;

impl<'a, L: LogRows> Run<'a, L> {
    /// Stores the connections, and starts every function: each waits for the permit of its first request.
    pub(crate) async fn new(listeners: &'a MemoryRows, log: &'a Log<L>, world: &World) -> Self {
        for client in 0..world.subscribers {
            let stored = listeners.put_connection(&opened_by(client)).await;
            stored.expect("rows that answer");
        }
        // Every order makes the same epoch, so that equal states are equal.
        fastrand::seed(7);
        let history = match world.last {
            true => History::from_json(r#"{"**":{"last":true}}"#).expect("policies"),
            false => History::default(),
        };
        let policy = history.policy(&audience()).expect("a log");
        let mut position = Position::START;
        if world.begun {
            let frame = frame(BEFORE);
            let messages = [Message {
                event_id: "before",
                frame: &frame,
                version: None,
            }];
            let audience = audience();
            let stored = publish(log, &audience, policy, &messages, now(), async |stored| {
                stored.position
            });
            let mut stored = stored.await.expect("rows that answer");
            match stored.remove(0).expect("rows that answer") {
                Published::Delivered(after) => position = after,
                Published::Stale => unreachable!("a log of messages drops none"),
            }
        }
        let old_head = log.rows().head(&audience(), Consistency::Strong).await;
        let old_head = old_head.expect("rows that answer");
        let events = 0..world.events;
        let batches: Vec<Vec<Event>> = match world.batch {
            true => vec![events.collect()],
            false => events.map(|event| vec![event]).collect(),
        };
        let actors = batches.len() + world.subscribers;
        let mut run = Self {
            world: world.clone(),
            listeners,
            log,
            history,
            policy,
            old_head,
            scheduler: Scheduler::default(),
            notifiers: vec![State::Running; batches.len()],
            receives: vec![RECEIVES; batches.len()],
            batches,
            clients: vec![Client::at(position); world.subscribers],
            replies: vec![None; world.subscribers],
            running: (0..actors).map(|_| None).collect(),
            asked: vec![None; world.subscribers],
            flight: Flight::default(),
            budgets: Budgets {
                crashes: world.crashes,
                lost_posts: world.lost_posts,
                lost_answers: world.lost_answers,
                stale_reads: world.stale_reads,
                syncs: world.syncs,
            },
        };
        for notifier in 0..run.notifiers.len() {
            run.receive(notifier).await;
        }
        for client in 0..world.subscribers {
            let subscriber = Box::pin(run.subscriber(client));
            run.start(run.notifiers.len() + client, subscriber).await;
        }
        run
    }

    /// Returns every step that may come next.
    pub(crate) fn choices(&self) -> Vec<Choice> {
        let mut choices = Vec::new();
        for (actor, state) in self.notifiers.iter().enumerate() {
            let has_begun = self.scheduler.state().seen.contains_key(&actor);
            // A crash before the first request is none.
            if *state == State::Running && self.budgets.crashes > 0 && has_begun {
                if self.receives[actor] > 0 {
                    choices.push(Choice::Crash(actor, Again::Redelivery));
                }
                if self.world.dead_letters {
                    choices.push(Choice::Crash(actor, Again::DeadLetter));
                }
            }
        }
        for client in 0..self.clients.len() {
            choices.extend(self.choices_of(client));
        }
        let flight = self.flight.borrow();
        choices.extend((0..flight.len()).map(Choice::Push));
        let state = self.scheduler.state();
        let waiting = state.pending.iter();
        for (&ticket, waiting) in
            waiting.filter(|(_, waiting)| self.is_in_turn(waiting.actor, &state))
        {
            choices.push(Choice::Request(ticket, Permit::Apply));
            let budget = match waiting.name {
                POST => self.budgets.lost_posts,
                _ => self.budgets.lost_answers,
            };
            if waiting.name == LAGGING_READ && self.budgets.stale_reads > 0 {
                choices.push(Choice::Request(ticket, Permit::ApplyLate));
            }
            if waiting.may_lose_answer && budget > 0 {
                choices.push(Choice::Request(ticket, Permit::LoseAnswer));
            }
        }
        choices
    }

    fn choices_of(&self, client: usize) -> Vec<Choice> {
        let actor = self.notifiers.len() + client;
        if self.replies[client].is_some() {
            return vec![Choice::Reply(client)];
        }
        let asks = self.running[actor].is_none() && self.clients[client].is_behind();
        if asks && self.budgets.syncs > 0 {
            return [Moment::Soon, Moment::Late]
                .map(|moment| Choice::Sync(client, moment))
                .to_vec();
        }
        Vec::new()
    }

    /// Makes one step, until every function waits for a permit again.
    pub(crate) async fn step(&mut self, choice: Choice) {
        fastrand::seed(7);
        let first_client = self.notifiers.len();
        match choice {
            Choice::Request(ticket, permit) => {
                let waiting = self.scheduler.state().pending[&ticket];
                match (permit, waiting.name) {
                    (Permit::LoseAnswer, POST) => self.budgets.lost_posts -= 1,
                    (Permit::LoseAnswer, _) => self.budgets.lost_answers -= 1,
                    (Permit::ApplyLate, _) => self.budgets.stale_reads -= 1,
                    (Permit::Apply, _) => {}
                }
                self.scheduler.permit(ticket, permit);
                self.drive(waiting.actor).await;
            }
            Choice::Crash(actor, again) => {
                self.budgets.crashes -= 1;
                self.end(actor);
                match again {
                    Again::Redelivery => self.receive(actor).await,
                    Again::DeadLetter => self.notifiers[actor] = State::Dead,
                }
            }
            Choice::Push(index) => {
                let push = self.flight.borrow().iter().nth(index).cloned();
                let push = push.expect("a push on its way");
                self.flight.borrow_mut().remove(&push);
                let (client, message) = push;
                self.clients[client].push(message);
            }
            Choice::Reply(client) => {
                let reply = self.replies[client].take().expect("a reply on its way");
                self.clients[client].reply(reply);
            }
            Choice::Sync(client, moment) => {
                self.budgets.syncs -= 1;
                self.asked[client] = Some((self.clients[client].position.clone(), moment));
                let actor = first_client + client;
                self.start(actor, Box::pin(self.sync(client, moment))).await;
            }
        }
    }

    /// Returns whether nothing runs and nothing is on its way.
    pub(crate) fn has_ended(&self) -> bool {
        let notifiers = &self.notifiers;
        notifiers
            .iter()
            .all(|state| matches!(state, State::Done | State::Dead))
            && self.running.iter().all(Option::is_none)
            && self.flight.borrow().is_empty()
            && self.replies.iter().all(Option::is_none)
    }

    /// Lets a client ask, undisturbed and late, until it learns nothing new.
    pub(crate) async fn settle(&self, client: usize) -> Client {
        let mut settled = self.clients[client].clone();
        loop {
            if !settled.is_behind() && !self.world.idle_sync {
                return settled;
            }
            let before = settled.clone();
            settled.reply(
                sync(
                    self.log,
                    self.policy,
                    settled.position.clone(),
                    Moment::Late,
                )
                .await,
            );
            if settled == before {
                return settled;
            }
        }
    }

    /// Returns a choice in words.
    pub(crate) fn describe(&self, choice: Choice) -> String {
        match choice {
            Choice::Request(ticket, permit) => {
                let waiting = self.scheduler.state().pending[&ticket];
                format!(
                    "{}: {} ({permit:?})",
                    self.name(waiting.actor),
                    waiting.name
                )
            }
            Choice::Crash(actor, again) => format!("{} crashes ({again:?})", self.name(actor)),
            Choice::Push(index) => {
                let flight = self.flight.borrow();
                let (client, message) = flight.iter().nth(index).expect("a push on its way");
                format!("push {} reaches client {client}", message.offset)
            }
            Choice::Reply(client) => format!("client {client} gets {:?}", self.replies[client]),
            Choice::Sync(client, moment) => format!("client {client} asks ({moment:?})"),
        }
    }

    fn name(&self, actor: Actor) -> String {
        match actor.checked_sub(self.notifiers.len()) {
            None => format!("notifier of {:?}", self.batches[actor]),
            Some(client) => format!("client {client}"),
        }
    }

    /// Returns whether a function may go on. Events differ only in their names, so each begins after the one
    /// before it.
    fn is_in_turn(&self, actor: Actor, scheduler: &SchedulerState) -> bool {
        actor == 0
            || actor >= self.notifiers.len()
            || self.receives[actor - 1] < RECEIVES - 1
            || self.notifiers[actor - 1] != State::Running
            || scheduler.seen.contains_key(&(actor - 1))
    }

    /// Gives a notifier its events.
    async fn receive(&mut self, notifier: Actor) {
        self.receives[notifier] -= 1;
        let function = Box::pin(self.notifier(notifier));
        self.start(notifier, function).await;
    }

    /// Returns whether an event was delivered.
    pub(crate) fn is_done(&self, event: Event) -> bool {
        let mut notifiers = self.batches.iter().zip(&self.notifiers);
        notifiers.any(|(batch, state)| batch.contains(&event) && *state == State::Done)
    }

    async fn start(&mut self, actor: Actor, function: Running<'a>) {
        self.running[actor] = Some(function);
        self.drive(actor).await;
    }

    /// Forgets a function, and all that it has seen.
    fn end(&mut self, actor: Actor) {
        self.running[actor] = None;
        let mut state = self.scheduler.state();
        state.pending.retain(|_, waiting| waiting.actor != actor);
        state.seen.remove(&actor);
    }

    /// Lets a function run until it ends, or waits for a permit that matters to another function.
    async fn drive(&mut self, actor: Actor) {
        while let Some(ticket) = self.poll(actor).await {
            self.scheduler.permit(ticket, Permit::Apply);
        }
    }

    /// Polls a function until it ends, or all its requests wait for permits. Returns the request that it
    /// waits for, if it is one that no other function notices.
    async fn poll(&mut self, actor: Actor) -> Option<Ticket> {
        let running = self.running[actor].as_mut()?;
        let scheduler = &self.scheduler;
        let ended = poll_fn(|context| match running.as_mut().poll(context) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending => {
                let state = scheduler.state();
                let waits = state.pending.values().any(|waiting| waiting.actor == actor);
                match state.in_flight == 0 && waits {
                    true => Poll::Ready(None),
                    false => Poll::Pending,
                }
            }
        })
        .await;
        match ended {
            None => return self.unnoticed(actor),
            Some(Ended::Notified) => self.notifiers[actor] = State::Done,
            Some(Ended::Replied(reply)) => {
                let client = actor - self.notifiers.len();
                self.asked[client] = None;
                self.replies[client] = Some(reply);
            }
        }
        self.end(actor);
        None
    }

    fn unnoticed(&self, actor: Actor) -> Option<Ticket> {
        let state = self.scheduler.state();
        let mut waiting = state.pending.iter();
        let (ticket, _) =
            waiting.find(|(_, waiting)| waiting.actor == actor && self.goes_unnoticed(waiting))?;
        Some(*ticket)
    }

    fn goes_unnoticed(&self, waiting: &PendingRequest) -> bool {
        let client = waiting.actor.checked_sub(self.notifiers.len());
        let syncs = client.is_some_and(|client| self.asked[client].is_some());
        // An eventually consistent read of the moment stands for all but those of an old head.
        let lags = waiting.name == LAGGING_READ && self.budgets.stale_reads == 0;
        UNNOTICED.contains(&waiting.name) || lags || (self.world.syncs_at_once && syncs)
    }

    fn log_of(&self, actor: Actor) -> Log<ScheduledLog<'a, L>> {
        Log::over(ScheduledLog {
            rows: self.log.rows(),
            scheduler: self.scheduler.clone(),
            actor,
            old_head: self.old_head.clone(),
        })
    }

    fn store_of(&self, actor: Actor) -> Connections<Scheduled<'a, MemoryRows>> {
        Connections::over(Scheduled {
            rows: self.listeners,
            scheduler: self.scheduler.clone(),
            actor,
        })
    }

    /// Publishes events: reads the audience and posts to each subscriber in it.
    fn notifier(&self, actor: Actor) -> impl Future<Output = Ended> + use<'a, L> {
        let (log, store) = (self.log_of(actor), self.store_of(actor));
        let (scheduler, flight) = (self.scheduler.clone(), self.flight.clone());
        let policy = self.policy;
        let ids = self.batches[actor].iter();
        let ids: Vec<_> = ids
            .map(|&event| (event_id(event, &self.world), frame(event)))
            .collect();
        async move {
            let messages = ids.iter().map(|(event_id, frame)| Message {
                event_id,
                frame,
                version: None,
            });
            let messages: Vec<_> = messages.collect();
            let audience = audience();
            let published = publish(&log, &audience, policy, &messages, now(), async |stored| {
                let page = store.read_audience(&audience, &Range::WHOLE).await;
                for recipient in page.expect("rows that answer").recipients {
                    let waiting = PendingRequest {
                        actor,
                        name: POST,
                        may_be_late: false,
                        may_lose_answer: true,
                    };
                    let permit = scheduler.permitted(waiting).await;
                    if permit == Permit::Apply {
                        let message = Arrived::read(&stored.frame);
                        let client = client_of(&recipient.connection);
                        flight.borrow_mut().insert((client, message));
                    }
                    scheduler.answered(actor, &permit);
                }
            });
            for published in published.await.expect("rows that answer") {
                assert!(matches!(published, Ok(Published::Delivered(()))));
            }
            Ended::Notified
        }
    }

    fn subscriber(&self, client: usize) -> impl Future<Output = Ended> + use<'a, L> {
        let actor = self.notifiers.len() + client;
        let (log, store) = (self.log_of(actor), self.store_of(actor));
        let history = self.history.clone();
        let start = match self.world.recovers {
            true => Start::Recover(self.clients[client].position.clone(), Reach::Log),
            false => Start::Live,
        };
        async move {
            let (connection, entities) = (connection(client), [entity()]);
            let subscription = Subscription {
                connection: &connection,
                connected_at: now(),
                token_expires_at: None,
                entities: &entities,
                watched: &[],
                user: None,
                info: None,
            };
            let starts = [start];
            let result = subscribe(&store, &log, &history, subscription, 10, &starts, now());
            let result = result.await.expect("rows that answer").remove(0);
            assert_eq!(result.subscribed, Subscribed::Stored);
            let answer = result.answer.expect("a log").expect("rows that answer");
            Ended::Replied(Reply::Subscribed(answer))
        }
    }

    fn sync(&self, client: usize, moment: Moment) -> impl Future<Output = Ended> + use<'a, L> {
        let log = self.log_of(self.notifiers.len() + client);
        let (policy, position) = (self.policy, self.clients[client].position.clone());
        async move { Ended::Replied(sync(&log, policy, position, moment).await) }
    }
}

fn client_of(connection: &ConnectionId) -> usize {
    let number = connection.as_str().strip_prefix("client-");
    number
        .and_then(|number| number.parse().ok())
        .expect("a client")
}

async fn sync<R: LogRows>(
    log: &Log<R>,
    policy: LogPolicy,
    position: Position,
    moment: Moment,
) -> Reply {
    let delay = match moment {
        Moment::Soon => Duration::from_secs(1),
        Moment::Late => Duration::from_secs(11),
    };
    let (audience, mut budget) = (audience(), Budget::REPLY);
    let synced = log.sync(
        &audience,
        policy,
        &position,
        Reach::Log,
        &mut budget,
        now() + delay,
    );
    Reply::Synced(synced.await.expect("rows that answer"))
}
