//! One run of a world of presence: its functions, and the choices of the scheduler.

use std::{
    collections::BTreeSet,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::Poll,
    time::SystemTime,
};

use herald_shared::{
    ids::EntityId,
    presence::{
        Flush, FlushReason, MEMBER_LIFETIME, MemberRows, Members, MembersBudget, Presence,
        ReadPresence, RenewMembers, memory::MemoryMemberRows,
    },
    protocol::PresenceFrame,
    store::{
        Connection as Opened, ConnectionStore, Connections, Forget, Rows, Subscription,
        memory::MemoryRows,
    },
};

use super::{
    rows::{Outside, ScheduledMembers, apply_late},
    watcher::Watcher,
    worlds::{Age, Connection, Role, World},
};
use crate::scheduler::{Actor, Permit, Scheduled, Scheduler, Ticket};

/// One step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Choice {
    /// A function starts.
    Start(Actor),
    /// The queue delivers a message to a notifier.
    Deliver(usize),
    /// A request gets its permit.
    Request(Ticket, Permit),
    /// A late write arrives.
    LateWrite,
    /// A function stops for good.
    Crash(Actor),
}

/// The task of an actor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    Function(Role),
    Flush(EntityId, FlushReason, u64),
    /// The watcher asks for the members.
    Ask,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Idle,
    Running,
    Done,
    Crashed,
}

type Running<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;
type MembersOf<'a> = Members<ScheduledMembers<'a>, ScheduledMembers<'a>, Clock<'a>>;
type Clock<'a> = Box<dyn Fn() -> SystemTime + Send + Sync + 'a>;

/// The functions of a run, and the faults that may still occur.
pub(crate) struct Run<'a> {
    pub(crate) connections: &'a MemoryRows,
    pub(crate) members: &'a MemoryMemberRows,
    pub(crate) outside: Arc<Mutex<Outside>>,
    pub(crate) scheduler: Scheduler,
    pub(crate) watcher: Arc<Mutex<Watcher>>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) states: Vec<State>,
    running: Vec<Option<Running<'a>>>,
    pub(crate) crashes: usize,
    pub(crate) late_writes: usize,
    quiet: bool,
    /// The time up to which the queue delivers while functions run. What is due later comes without faults.
    horizon: u64,
    /// True if a function stopped, or a write arrived when its row was removed already: the watcher may then
    /// know of it late.
    excused: bool,
}

/// The time at which every world starts.
const START: u64 = 4_000_000_000;

pub(crate) fn entity() -> EntityId {
    EntityId::new("room-1").expect("an id")
}

impl<'a> Run<'a> {
    /// Opens the connections, announces those that are from the start, and starts no function.
    pub(crate) async fn new(
        connections: &'a MemoryRows,
        members: &'a MemoryMemberRows,
        world: &World,
    ) -> Self {
        let outside = Outside {
            now: START,
            ..Outside::default()
        };
        let mut run = Self {
            connections,
            members,
            outside: Arc::new(Mutex::new(outside)),
            scheduler: Scheduler::default(),
            watcher: Arc::default(),
            tasks: Vec::new(),
            states: Vec::new(),
            running: Vec::new(),
            crashes: world.crashes,
            late_writes: world.late_writes,
            quiet: world.quiet,
            horizon: 0,
            excused: false,
        };
        for connection in Connection::ALL {
            let opened = Opened {
                id: connection.id(),
                connected_at: SystemTime::UNIX_EPOCH,
                ip_address: None,
                user_agent: None,
                user: Some(connection.user()),
                token_expires_at: None,
            };
            let put = connections.put_connection(&opened).await;
            put.expect("rows that answer");
        }
        for &connection in &world.announced {
            run.alone(Task::Function(Role::Subscribe(connection))).await;
            run.deliver_changes().await;
        }
        for &connection in &world.left {
            run.alone(Task::Function(Role::Unsubscribe(connection)))
                .await;
        }
        run.outside().now += match world.age {
            None => 0,
            Some(Age::Stale) => 200,
            Some(Age::Expired) => MEMBER_LIFETIME.as_secs(),
        };
        let now = run.outside().now;
        run.horizon = now + 30;
        for &role in &world.roles {
            run.add(Task::Function(role));
        }
        run
    }

    fn outside(&self) -> MutexGuard<'_, Outside> {
        self.outside.lock().expect("no panic with the lock")
    }

    fn watcher(&self) -> MutexGuard<'_, Watcher> {
        self.watcher.lock().expect("no panic with the lock")
    }

    fn add(&mut self, task: Task) -> Actor {
        self.tasks.push(task);
        self.states.push(State::Idle);
        self.running.push(None);
        self.tasks.len() - 1
    }

    /// Returns every step that may come next.
    pub(crate) fn choices(&self) -> Vec<Choice> {
        let idle = (0..self.tasks.len()).filter(|&actor| self.states[actor] == State::Idle);
        let mut choices: Vec<_> = idle.map(Choice::Start).collect();
        let outside = self.outside();
        let soon = |index: &usize| outside.queue[*index].at <= self.horizon;
        choices.extend((0..outside.queue.len()).filter(soon).map(Choice::Deliver));
        if !outside.late.is_empty() {
            choices.push(Choice::LateWrite);
        }
        for (&ticket, pending) in &self.scheduler.state().pending {
            choices.push(Choice::Request(ticket, Permit::Apply));
            if pending.may_be_late && self.late_writes > 0 && pending.name == "write the member" {
                choices.push(Choice::Request(ticket, Permit::ApplyLate));
            }
        }
        if self.crashes > 0 {
            let running = |actor: &Actor| self.states[*actor] == State::Running;
            choices.extend((0..self.tasks.len()).filter(running).map(Choice::Crash));
        }
        choices
    }

    /// Takes one step. Afterwards, every function waits for a permit again.
    pub(crate) async fn step(&mut self, choice: Choice) {
        match choice {
            Choice::Start(actor) => self.start(actor).await,
            Choice::Deliver(index) => {
                let flush = {
                    let mut outside = self.outside();
                    let flush = outside.queue.remove(index);
                    // The queue delivers no message before it is due.
                    outside.now = outside.now.max(flush.at);
                    flush
                };
                let actor = self.add(Task::Flush(flush.entity_id, flush.reason, flush.at));
                self.start(actor).await;
            }
            Choice::Request(ticket, permit) => {
                let actor = self.scheduler.state().pending[&ticket].actor;
                self.late_writes -= usize::from(permit == Permit::ApplyLate);
                self.scheduler.permit(ticket, permit);
                self.drive(actor).await;
            }
            Choice::LateWrite => {
                let late = self.outside().late.remove(0);
                let row = self.members.member(&entity(), &late.member).await;
                self.excused |= row.expect("rows that answer").is_none();
                apply_late(self.members, &entity(), &late).await;
            }
            Choice::Crash(actor) => {
                self.crashes -= 1;
                self.excused = true;
                self.states[actor] = State::Crashed;
                self.running[actor] = None;
                let mut state = self.scheduler.state();
                state.pending.retain(|_, pending| pending.actor != actor);
                drop(state);
                if let Task::Flush(entity_id, reason, at) = self.tasks[actor].clone() {
                    // The queue delivers its message again.
                    self.outside().queue.push(Flush {
                        entity_id,
                        reason,
                        at,
                    });
                }
            }
        }
    }

    async fn start(&mut self, actor: Actor) {
        self.states[actor] = State::Running;
        self.running[actor] = Some(self.function(actor));
        self.drive(actor).await;
    }

    /// Returns whether nothing runs, no function is left, and no write is late.
    pub(crate) fn has_ended(&self) -> bool {
        let ended = |state: &State| matches!(state, State::Done | State::Crashed);
        let outside = self.outside();
        let soon = |flush: &Flush| flush.at <= self.horizon;
        self.states.iter().all(ended) && outside.late.is_empty() && !outside.queue.iter().any(soon)
    }

    /// Lets the flushes of changes come. Returns the complaint if the watcher is wrong then without an excuse.
    pub(crate) async fn flushed(&mut self) -> Option<String> {
        self.crashes = 0;
        self.deliver_changes().await;
        match self.excused || self.watcher().asks {
            true => None,
            false => self.complaint().await,
        }
    }

    /// Lets twelve minutes pass without faults, in which open connections send a ping every four minutes.
    pub(crate) async fn let_time_pass(&mut self) {
        let end = self.outside().now + MEMBER_LIFETIME.as_secs() + 120;
        let mut ping = self.outside().now;
        while ping < end {
            ping += 240;
            self.deliver_until(ping).await;
            self.outside().now = ping;
            for connection in Connection::ALL {
                self.alone(Task::Function(Role::Renew(connection))).await;
            }
        }
        if self.watcher().asks {
            self.alone(Task::Ask).await;
        }
        self.deliver_until(end + 10).await;
    }

    async fn deliver_until(&mut self, end: u64) {
        loop {
            let due = {
                let outside = self.outside();
                let due = outside.queue.iter().enumerate();
                let first = due.min_by_key(|(_, flush)| flush.at);
                first
                    .filter(|(_, flush)| flush.at <= end)
                    .map(|(index, _)| index)
            };
            let Some(index) = due else { return };
            self.step(Choice::Deliver(index)).await;
            self.finish(self.tasks.len() - 1).await;
        }
    }

    async fn deliver_changes(&mut self) {
        let now = self.outside().now;
        self.deliver_until(now + 10).await;
    }

    /// Runs a function undisturbed.
    async fn alone(&mut self, task: Task) {
        let actor = self.add(task);
        self.step(Choice::Start(actor)).await;
        self.finish(actor).await;
    }

    async fn finish(&mut self, actor: Actor) {
        while self.states[actor] == State::Running {
            let ticket = {
                let state = self.scheduler.state();
                let own = state.pending.iter().find(|(_, own)| own.actor == actor);
                *own.expect("the function waits for a permit").0
            };
            self.step(Choice::Request(ticket, Permit::Apply)).await;
        }
    }

    /// Returns the complaint if the watcher does not know exactly the users who are subscribed.
    pub(crate) async fn complaint(&self) -> Option<String> {
        let mut users = BTreeSet::new();
        for connection in Connection::ALL {
            let stored = self.connections.connection(&connection.id()).await;
            let stored = stored.expect("rows that answer");
            if stored.is_some_and(|stored| stored.entities.contains(&entity())) {
                users.insert(connection.user().to_string());
            }
        }
        let watcher = self.watcher();
        if watcher.users != users || watcher.count != users.len() {
            return Some(format!(
                "{users:?} are subscribed, the watcher knows {watcher:?}"
            ));
        }
        None
    }

    /// Returns the description of a choice.
    pub(crate) fn describe(&self, choice: Choice) -> String {
        let function = |actor: Actor| format!("{:?} {actor}", self.tasks[actor]);
        match choice {
            Choice::Start(actor) => format!("{} starts", function(actor)),
            Choice::Deliver(index) => format!("deliver {:?}", self.outside().queue[index]),
            Choice::Request(ticket, permit) => {
                let pending = self.scheduler.state().pending[&ticket];
                format!("{}: {} ({permit:?})", function(pending.actor), pending.name)
            }
            Choice::LateWrite => "a late write arrives".to_owned(),
            Choice::Crash(actor) => format!("{} crashes", function(actor)),
        }
    }

    /// Polls a function until it ends, or all its requests wait for permits.
    async fn drive(&mut self, actor: Actor) {
        loop {
            let running = self.running[actor].as_mut().expect("a running function");
            let scheduler = &self.scheduler;
            let ended = poll_fn(|context| match running.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(true),
                Poll::Pending => {
                    let state = scheduler.state();
                    let waits = state.pending.values().any(|pending| pending.actor == actor);
                    match state.in_flight == 0 && waits {
                        true => Poll::Ready(false),
                        false => Poll::Pending,
                    }
                }
            })
            .await;
            if ended {
                self.states[actor] = State::Done;
                self.running[actor] = None;
                return;
            }
            let Some(ticket) = self.applied_at_once(actor) else {
                return;
            };
            self.scheduler.permit(ticket, Permit::Apply);
        }
    }

    /// Returns a request to the rows of connections, if the world lets them through.
    fn applied_at_once(&self, actor: Actor) -> Option<Ticket> {
        const OF_CONNECTIONS: [&str; 7] = [
            "read the connection",
            "delete the connection",
            "add to the set",
            "remove from the set",
            "put the listener",
            "delete the listener",
            "delete a listener in a batch",
        ];
        let state = self.scheduler.state();
        let mut pending = state.pending.iter().filter(|_| self.quiet);
        let request = pending
            .find(|(_, request)| request.actor == actor && OF_CONNECTIONS.contains(&request.name));
        request.map(|(ticket, _)| *ticket)
    }

    fn function(&self, actor: Actor) -> Running<'a> {
        let scheduled = ScheduledMembers {
            rows: self.members,
            outside: self.outside.clone(),
            scheduler: self.scheduler.clone(),
            actor,
        };
        let store = Connections::over(Scheduled {
            rows: self.connections,
            scheduler: self.scheduler.clone(),
            actor,
        });
        let store = store.tracking(members(scheduled));
        match self.tasks[actor].clone() {
            Task::Function(role) => Box::pin(function(role, store)),
            Task::Flush(entity_id, reason, at) => {
                let flush = Flush {
                    entity_id,
                    reason,
                    at,
                };
                let watcher = self.watcher.clone();
                Box::pin(async move { notify(flush, store.members(), watcher).await })
            }
            Task::Ask => {
                let watcher = self.watcher.clone();
                Box::pin(async move { ask(store.members(), &watcher).await })
            }
        }
    }
}

fn members(scheduled: ScheduledMembers<'_>) -> MembersOf<'_> {
    let presence = Presence::from_json(r#"{"**":{}}"#).expect("policies");
    let clock = scheduled.clone();
    let clock: Clock<'_> = Box::new(move || clock.now());
    Members::new(scheduled.clone(), scheduled, presence, clock)
}

async fn function(role: Role, store: Connections<Scheduled<'_, MemoryRows>, MembersOf<'_>>) {
    let (Role::Subscribe(connection)
    | Role::Unsubscribe(connection)
    | Role::Forget(connection)
    | Role::Renew(connection)) = role;
    let (id, user, entity) = (&connection.id(), Some(&connection.user()), &entity());
    let subscription = Subscription {
        connection: id,
        connected_at: SystemTime::UNIX_EPOCH,
        token_expires_at: None,
        entities: std::slice::from_ref(entity),
        watched: &[],
        user,
        info: None,
    };
    match role {
        Role::Subscribe(_) => store.subscribe(subscription, 10).await.map(drop),
        Role::Unsubscribe(_) => store.unsubscribe(id, user, entity).await,
        Role::Forget(_) => store.forget(id).await,
        Role::Renew(_) => store.renew_members(id, user, None).await,
    }
    .expect("rows that answer");
}

/// Makes a flush. A watcher that misses a version asks, and asks again if the function stops.
async fn notify(flush: Flush, members: &MembersOf<'_>, watcher: Arc<Mutex<Watcher>>) {
    let post = async |frame: PresenceFrame| -> Result<(), std::io::Error> {
        let posted = async { watcher.lock().expect("no panic").frame(&frame) };
        members.rows().send("post", posted).await;
        if watcher.lock().expect("no panic").asks {
            ask(members, &watcher).await;
        }
        Ok(())
    };
    members.flush(&flush, post).await.expect("rows that answer");
}

async fn ask(members: &MembersOf<'_>, watcher: &Mutex<Watcher>) {
    let mut budget = MembersBudget::WHOLE;
    let reply = members.snapshot(&entity(), &mut budget).await;
    let reply = reply.expect("rows that answer").expect("a policy");
    watcher.lock().expect("no panic").snapshot(reply);
}
