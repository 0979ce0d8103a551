//! One run of a world: its functions, and the choices of the scheduler.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::Poll,
    time::{Duration, SystemTime},
};

use herald_shared::{
    audience::{Audience, Range},
    ids::{ConnectionId, EntityId, UserId},
    store::{
        Addition, Change, Connection, ConnectionStore, Connections, Forget, ReadAudience, Rows,
        Subscribed, Subscription,
    },
    token_expiry::TokenExpiry,
};

use super::{
    scheduler::{Actor, LateWrite, Permit, Scheduled, Scheduler, Ticket, apply_late},
    worlds::World,
};

/// One step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Choice {
    /// A function starts.
    Start(Actor),
    /// A request gets its permit.
    Request(Ticket, Permit),
    /// A late write arrives.
    LateWrite,
    /// A function stops for good.
    Crash(Actor),
    /// The client closes the socket.
    Close,
}

/// The task of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    Subscribe,
    Unsubscribe,
    Renew,
    Disconnect,
    Notify(AudienceKind),
}

/// An audience of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AudienceKind {
    Entity,
    User,
    Everyone,
}

impl AudienceKind {
    pub(crate) const ALL: [Self; 3] = [Self::Entity, Self::User, Self::Everyone];

    pub(crate) fn audience(self) -> Audience {
        match self {
            Self::Entity => Audience::Entity(entity()),
            Self::User => Audience::User(UserId::new("ann").expect("an id")),
            Self::Everyone => Audience::Everyone,
        }
    }
}

/// The progress of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Idle,
    Running,
    /// The subscription was acknowledged; the other roles ended.
    Done,
    Refused,
    Crashed,
}

type Running<'a> = Pin<Box<dyn Future<Output = State> + 'a>>;

/// The functions of a run, the socket, and the faults that may still occur.
pub(crate) struct Run<'a, R> {
    pub(crate) rows: &'a R,
    pub(crate) scheduler: Scheduler,
    pub(crate) roles: Vec<Role>,
    pub(crate) states: Vec<State>,
    running: Vec<Option<Running<'a>>>,
    pub(crate) open: Rc<Cell<bool>>,
    pub(crate) crashes: usize,
    pub(crate) lost_answers: usize,
    pub(crate) late_writes: usize,
    pub(crate) world: World,
}

/// The connection of every world.
pub(crate) fn connection() -> ConnectionId {
    ConnectionId::new("PcQeDRO4gIEm4LQ=").expect("an id")
}

/// The entity of every world.
pub(crate) fn entity() -> EntityId {
    EntityId::new("order-1").expect("an id")
}

pub(crate) const FIRST_TOKEN: TokenExpiry = TokenExpiry::from_epoch_seconds(4_000_000_000);
pub(crate) const SECOND_TOKEN: TokenExpiry = TokenExpiry::from_epoch_seconds(4_000_003_600);

fn connected_at() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

impl<'a, R: Rows> Run<'a, R> {
    /// Stores the connection with its other subscriptions, and starts no function.
    pub(crate) async fn new(rows: &'a R, world: &World) -> Self {
        prepare(rows, world).await;
        let roles = roles(world);
        let scheduler = Scheduler::default();
        if world.late_connect {
            scheduler.state().late.push(LateWrite::Connect);
        }
        Self {
            rows,
            scheduler,
            states: vec![State::Idle; roles.len()],
            running: roles.iter().map(|_| None).collect(),
            roles,
            open: Rc::new(Cell::new(true)),
            crashes: world.crashes,
            lost_answers: world.lost_answers,
            late_writes: world.late_writes,
            world: world.clone(),
        }
    }

    /// Returns every step that may come next.
    pub(crate) fn choices(&self) -> Vec<Choice> {
        let starts = (0..self.roles.len())
            .filter(|&actor| self.may_start(actor))
            .map(Choice::Start);
        let state = self.scheduler.state();
        let mut choices: Vec<_> = starts.collect();
        for (&ticket, pending) in &state.pending {
            choices.push(Choice::Request(ticket, Permit::Apply));
            if pending.may_lose_answer && self.lost_answers > 0 {
                choices.push(Choice::Request(ticket, Permit::LoseAnswer));
            }
            if pending.may_be_late && self.late_writes > 0 {
                choices.push(Choice::Request(ticket, Permit::ApplyLate));
            }
        }
        if !state.late.is_empty() {
            choices.push(Choice::LateWrite);
        }
        if self.crashes > 0 {
            let running = |actor: &Actor| self.states[*actor] == State::Running;
            choices.extend((0..self.roles.len()).filter(running).map(Choice::Crash));
        }
        if self.open.get() && self.world.closes {
            choices.push(Choice::Close);
        }
        choices
    }

    fn may_start(&self, actor: Actor) -> bool {
        self.states[actor] == State::Idle
            && match self.roles[actor] {
                Role::Subscribe | Role::Unsubscribe | Role::Renew => self.open.get(),
                Role::Disconnect => !self.open.get(),
                Role::Notify(_) => true,
            }
    }

    /// Takes one step. Afterwards, every function waits for a permit again.
    pub(crate) async fn step(&mut self, choice: Choice) {
        match choice {
            Choice::Start(actor) => {
                self.states[actor] = State::Running;
                self.running[actor] = Some(self.function(actor));
                self.drive(actor).await;
            }
            Choice::Request(ticket, permit) => {
                let actor = self.scheduler.state().pending[&ticket].actor;
                match permit {
                    Permit::Apply => {}
                    Permit::LoseAnswer => self.lost_answers -= 1,
                    Permit::ApplyLate => self.late_writes -= 1,
                }
                self.scheduler.permit(ticket, permit);
                self.drive(actor).await;
            }
            Choice::LateWrite => {
                let write = self.scheduler.state().late.remove(0);
                apply_late(self.rows, &connection(), &entity(), write).await;
            }
            Choice::Crash(actor) => {
                self.crashes -= 1;
                self.states[actor] = State::Crashed;
                self.running[actor] = None;
                let mut state = self.scheduler.state();
                state.pending.retain(|_, pending| pending.actor != actor);
            }
            Choice::Close => self.open.set(false),
        }
    }

    /// Runs one more notifier for an audience of the connection, undisturbed.
    pub(crate) async fn push_to(&mut self, kind: AudienceKind) {
        let actor = self.roles.len();
        self.roles.push(Role::Notify(kind));
        self.states.push(State::Idle);
        self.running.push(None);
        self.step(Choice::Start(actor)).await;
        while self.states[actor] == State::Running {
            let ticket = self.scheduler.state().pending.keys().next().copied();
            let ticket = ticket.expect("the notifier waits for a permit");
            self.step(Choice::Request(ticket, Permit::Apply)).await;
        }
    }

    /// Returns whether nothing runs, no write is late, and no further function would start.
    pub(crate) fn has_ended(&self) -> bool {
        let running = self.states.contains(&State::Running);
        let unstarted = (0..self.roles.len())
            .any(|actor| self.may_start(actor) && !matches!(self.roles[actor], Role::Notify(_)));
        !running && !unstarted && self.scheduler.state().late.is_empty()
    }

    /// Returns the description of a choice.
    pub(crate) fn describe(&self, choice: Choice) -> String {
        let function = |actor: Actor| format!("{:?} {actor}", self.roles[actor]);
        match choice {
            Choice::Start(actor) => format!("{} starts", function(actor)),
            Choice::Request(ticket, permit) => {
                let pending = self.scheduler.state().pending[&ticket];
                format!("{}: {} ({permit:?})", function(pending.actor), pending.name)
            }
            Choice::LateWrite => "a late write arrives".to_owned(),
            Choice::Crash(actor) => format!("{} crashes", function(actor)),
            Choice::Close => "the client closes".to_owned(),
        }
    }

    /// Polls a function until it ends, or all its requests wait for permits.
    async fn drive(&mut self, actor: Actor) {
        let running = self.running[actor].as_mut().expect("a running function");
        let scheduler = &self.scheduler;
        let ended = poll_fn(|context| match running.as_mut().poll(context) {
            Poll::Ready(state) => Poll::Ready(Some(state)),
            Poll::Pending => {
                let state = scheduler.state();
                let waits = state.pending.values().any(|pending| pending.actor == actor);
                match state.in_flight == 0 && waits {
                    true => Poll::Ready(None),
                    false => Poll::Pending,
                }
            }
        })
        .await;
        if let Some(state) = ended {
            self.states[actor] = state;
            self.running[actor] = None;
        }
    }

    fn function(&self, actor: Actor) -> Running<'a> {
        let store = Connections::over(Scheduled {
            rows: self.rows,
            scheduler: self.scheduler.clone(),
            actor,
        });
        let limit = self.world.limit;
        match self.roles[actor] {
            Role::Subscribe => Box::pin(subscribe(store, limit)),
            Role::Unsubscribe => Box::pin(async move {
                store
                    .unsubscribe(&connection(), None, &entity())
                    .await
                    .expect("rows that answer");
                State::Done
            }),
            Role::Renew => Box::pin(async move {
                store
                    .renew(&connection(), SECOND_TOKEN)
                    .await
                    .expect("rows that answer");
                State::Done
            }),
            Role::Disconnect => Box::pin(async move {
                store.forget(&connection()).await.expect("rows that answer");
                State::Done
            }),
            Role::Notify(kind) => Box::pin(notify(store, kind, self.open.clone())),
        }
    }
}

fn roles(world: &World) -> Vec<Role> {
    let mut roles = vec![Role::Subscribe; world.subscribes];
    roles.extend(world.unsubscribes.then_some(Role::Unsubscribe));
    roles.extend(world.renews.then_some(Role::Renew));
    roles.extend((world.closes && !world.loses_disconnect).then_some(Role::Disconnect));
    if world.notifiers {
        roles.extend([
            Role::Notify(AudienceKind::Entity),
            Role::Notify(AudienceKind::User),
        ]);
    }
    roles
}

/// Returns the connection as its connect stores it.
pub(crate) fn opened() -> Connection {
    Connection {
        id: connection(),
        connected_at: connected_at(),
        ip_address: None,
        user_agent: None,
        user: Some(UserId::new("ann").expect("an id")),
        token_expires_at: Some(FIRST_TOKEN),
    }
}

async fn prepare<R: Rows>(rows: &R, world: &World) {
    rows.put_connection(&opened())
        .await
        .expect("rows that answer");
    let others: Vec<_> = (0..world.others)
        .map(|number| EntityId::new(format!("other-{number}")).expect("an id"))
        .collect();
    if others.is_empty() {
        return;
    }
    let addition = Addition {
        known: &[],
        fresh: &others,
        room: 0,
        bytes_room: 0,
    };
    let added = rows.add_entities(&connection(), addition).await;
    assert_eq!(added.expect("rows that answer"), Change::Made(1));
}

async fn subscribe<R: Rows>(store: Connections<R>, limit: u32) -> State {
    let entities = [entity()];
    let connection = connection();
    let subscription = Subscription {
        connection: &connection,
        connected_at: connected_at(),
        token_expires_at: Some(FIRST_TOKEN),
        entities: &entities,
        watched: &[],
        user: None,
        info: None,
    };
    let subscribed = store.subscribe(subscription, limit).await;
    match subscribed.expect("rows that answer")[..] {
        [Subscribed::Stored] => State::Done,
        _ => State::Refused,
    }
}

/// Reads an audience, posts to the connection if the audience has it, and prunes it if the socket is
/// closed.
async fn notify<R: Rows>(
    store: Connections<Scheduled<'_, R>>,
    kind: AudienceKind,
    open: Rc<Cell<bool>>,
) -> State {
    let audience = kind.audience();
    let page = store.read_audience(&audience, &Range::WHOLE).await;
    let page = page.expect("rows that answer");
    if page.recipients.is_empty() {
        return State::Done;
    }
    store.rows().pause("post").await;
    if !open.get() {
        store
            .prune(&connection(), &audience)
            .await
            .expect("rows that answer");
    }
    State::Done
}
