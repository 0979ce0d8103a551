//! What runs the state machine: one task that gives it the time, its inputs and random numbers, and
//! does what it says. It decides nothing itself.

mod address;
mod clock;
mod failure;
mod panics;
mod readers;
mod socket;

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use herald_shared::{error_chain::error_chain, ids::EntityId};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

pub(crate) use address::Address;
pub(crate) use failure::LastFailure;
pub(crate) use panics::supervise;
pub(crate) use readers::{Kind, SubscriberId};

use crate::{
    AttemptError, ConnectionState, Options, Outgoing, Reply, RequestError,
    machine::{Effect, Input, Machine, RequestNumber, SocketId},
    mailbox::Mailbox,
};
use clock::{Clock, LOOK_EVERY};
use panics::caught;
use readers::Readers;
use socket::CLOSE_WITHIN;

/// How many inputs of sockets wait for the machine before the sockets stop reading.
const INPUTS_WAITING: usize = 32;

/// The most commands that are taken at once: what an application asks for together goes out together.
const COMMANDS_AT_ONCE: usize = 256;

/// What the application wants.
pub(crate) enum Command {
    Subscribe(Subscribe),
    Unsubscribe {
        subscriber: SubscriberId,
    },
    Read {
        kind: Kind,
        mailbox: Mailbox,
    },
    Send {
        message: Outgoing,
        result: oneshot::Sender<Result<Reply, RequestError>>,
    },
    NetworkUp,
    NetworkDown,
    Foreground,
    Close {
        within: Duration,
    },
}

/// A subscriber that waits for its acknowledgement.
pub(crate) struct Subscribe {
    pub(crate) subscriber: SubscriberId,
    pub(crate) entity: EntityId,
    pub(crate) mailbox: Mailbox,
    pub(crate) result: oneshot::Sender<Result<(), RequestError>>,
}

/// Runs a client until it has stopped and its sockets are closed.
pub(crate) async fn run(
    address: Address,
    options: Options,
    mut commands: mpsc::UnboundedReceiver<Command>,
    states: watch::Sender<ConnectionState>,
    failure: LastFailure,
) {
    let (inputs, mut received) = mpsc::channel(INPUTS_WAITING);
    let mut machine = Machine::new(options.rules.clone(), fastrand::f64);
    let mut driver = Driver {
        address,
        options,
        states,
        failure,
        inputs,
        commands: VecDeque::new(),
        sockets: HashMap::new(),
        tasks: JoinSet::new(),
        token_tasks: JoinSet::new(),
        requests: 0,
        waiting: HashMap::new(),
        readers: Readers::default(),
    };
    let mut clock = Clock::new();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut taken = Vec::new();
    let mut input = Some(Input::Connect);
    while !machine.has_stopped() {
        if let Some(input) = input.take() {
            for effect in machine.handle(clock.now(), input) {
                driver.perform(effect);
            }
            continue;
        }
        if let Some(command) = driver.commands.pop_front() {
            input = driver.input_of(command);
            continue;
        }
        let wake = machine.wake().map(|at| clock.instant_of(at));
        input = tokio::select! {
            count = commands.recv_many(&mut taken, COMMANDS_AT_ONCE) => {
                driver.commands.extend(taken.drain(..));
                // Nobody has a handle any more.
                (count == 0).then_some(Input::Close { within: Duration::ZERO })
            }
            // The driver holds a sender itself: there is always another.
            Some(input) = received.recv() => Some(input),
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => Some(Input::Time),
            // The connection may have been lost during a sleep.
            _ = looks.tick() => clock.has_jumped().then_some(Input::Foreground),
            // Reaps what has ended.
            Some(_) = driver.tasks.join_next() => None,
            Some(_) = driver.token_tasks.join_next() => None,
        };
    }
    // Sockets that close have nobody to report to, and commands nobody to obey them.
    drop(received);
    drop(commands);
    driver.commands.clear();
    // Whatever reads learns that it has ended.
    driver.readers = Readers::default();
    driver.sockets.clear();
    let closed = async { while driver.tasks.join_next().await.is_some() {} };
    // Those that are stuck are dropped.
    let _ = timeout(CLOSE_WITHIN, closed).await;
}

struct Driver {
    address: Address,
    options: Options,
    states: watch::Sender<ConnectionState>,
    failure: LastFailure,
    inputs: mpsc::Sender<Input>,
    /// Commands that the machine has not been told yet.
    commands: VecDeque<Command>,
    /// What goes out on each socket; dropping it closes the socket.
    sockets: HashMap<SocketId, mpsc::UnboundedSender<String>>,
    /// What serves the sockets.
    tasks: JoinSet<()>,
    /// What waits for the token callback. Ends with the client.
    token_tasks: JoinSet<()>,
    requests: u64,
    waiting: HashMap<RequestNumber, Waiting>,
    readers: Readers,
}

/// Who waits for a request.
enum Waiting {
    Reply(oneshot::Sender<Result<Reply, RequestError>>),
    Subscription(SubscriberId, oneshot::Sender<Result<(), RequestError>>),
}

impl Waiting {
    fn is_of(&self, subscriber: SubscriberId) -> bool {
        matches!(self, Self::Subscription(waiting, _) if *waiting == subscriber)
    }
}

impl Driver {
    /// What a command means to the machine, if it does.
    fn input_of(&mut self, command: Command) -> Option<Input> {
        match command {
            Command::Subscribe(subscribe) => {
                let mut subscribers = vec![self.add_subscriber(subscribe)];
                while let Some(Command::Subscribe(_)) = self.commands.front()
                    && let Some(Command::Subscribe(next)) = self.commands.pop_front()
                {
                    subscribers.push(self.add_subscriber(next));
                }
                Some(Input::Subscribe { subscribers })
            }
            Command::Unsubscribe { subscriber } => {
                let entity = self.readers.unsubscribe(subscriber)?;
                self.waiting.retain(|_, waiting| !waiting.is_of(subscriber));
                Some(Input::Unsubscribe { entity })
            }
            Command::Read { kind, mailbox } => {
                self.readers.add(kind, mailbox);
                None
            }
            Command::Send { message, result } => Some(Input::Send {
                request: self.wait(Waiting::Reply(result)),
                body: message.body,
                safe_to_repeat: message.safe_to_repeat,
                time_to_live: message.time_to_live,
            }),
            Command::NetworkUp => Some(Input::NetworkUp),
            Command::NetworkDown => Some(Input::NetworkDown),
            Command::Foreground => Some(Input::Foreground),
            Command::Close { within } => Some(Input::Close { within }),
        }
    }

    fn add_subscriber(&mut self, subscribe: Subscribe) -> (RequestNumber, EntityId) {
        let Subscribe {
            subscriber,
            entity,
            mailbox,
            result,
        } = subscribe;
        self.readers.subscribe(subscriber, entity.clone(), mailbox);
        let request = self.wait(Waiting::Subscription(subscriber, result));
        (request, entity)
    }

    fn wait(&mut self, waiting: Waiting) -> RequestNumber {
        self.requests += 1;
        let request = RequestNumber(self.requests);
        self.waiting.insert(request, waiting);
        request
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::State(state) => {
                tracing::debug!(?state, "the state of the connection changed");
                self.states.send_replace(state);
            }
            Effect::AskToken { socket } => self.ask_token(socket),
            Effect::OpenSocket { socket, token } => self.open(socket, token),
            Effect::Send { socket, text } => {
                if let Some(outgoing) = self.sockets.get(&socket) {
                    // Fails only if the socket has ended, of which the machine is about to hear.
                    let _ = outgoing.send(text);
                }
            }
            Effect::CloseSocket { socket } => {
                self.sockets.remove(&socket);
            }
            Effect::Resolve { request, reply } => self.resolve(request, reply),
            Effect::Reject { request, error } => self.reject(request, error),
            Effect::Deliver { to, push } => self.readers.deliver(&to, &push),
            Effect::Ended { entity, error } => self.readers.end(&entity, &error),
        }
    }

    fn ask_token(&mut self, socket: SocketId) {
        let Some(callback) = &self.options.token else {
            return;
        };
        let (callback, inputs) = (callback.clone(), self.inputs.clone());
        let failure = self.failure.clone();
        self.token_tasks.spawn(async move {
            let answer = async { callback().await.map_err(|error| error_chain(&*error)) };
            let answer = caught(answer)
                .await
                .unwrap_or_else(|panic| Err(format!("the token callback panicked: {panic}")));
            let input = match answer {
                Ok(token) => Input::Token {
                    socket,
                    token: token.text,
                    expires_in: token.expires_in,
                },
                Err(error) => {
                    tracing::warn!(error, "there is no token");
                    failure.set(AttemptError::NoToken(error));
                    Input::TokenFailed { socket }
                }
            };
            let _ = inputs.send(input).await;
        });
    }

    fn open(&mut self, socket: SocketId, token: Option<String>) {
        let (outgoing, to_send) = mpsc::unbounded_channel();
        self.sockets.retain(|_, outgoing| !outgoing.is_closed());
        self.sockets.insert(socket, outgoing);
        let tls = self.options.tls.clone();
        let request = self.address.request(token.as_deref());
        let (inputs, failure) = (self.inputs.clone(), self.failure.clone());
        self.tasks.spawn(async move {
            let ended = match request {
                Err(reason) => Input::Invalid {
                    socket,
                    reason: reason.to_owned(),
                },
                Ok(request) => {
                    let run = socket::run(socket, request, tls, to_send, inputs.clone(), failure);
                    // TLS runs code of the application's, such as the verifier of a certificate.
                    let Err(panic) = caught(run).await else {
                        return;
                    };
                    tracing::error!(panic, "a socket panicked");
                    Input::Closed { socket }
                }
            };
            // Fails only if the client has stopped.
            let _ = inputs.send(ended).await;
        });
    }

    /// Whoever waited may have gone, which is their affair.
    fn resolve(&mut self, request: RequestNumber, reply: Option<Reply>) {
        match (self.waiting.remove(&request), reply) {
            (Some(Waiting::Reply(result)), Some(reply)) => drop(result.send(Ok(reply))),
            (Some(Waiting::Subscription(_, result)), _) => drop(result.send(Ok(()))),
            _ => {}
        }
    }

    fn reject(&mut self, request: RequestNumber, error: RequestError) {
        match self.waiting.remove(&request) {
            Some(Waiting::Reply(result)) => drop(result.send(Err(error))),
            Some(Waiting::Subscription(subscriber, result)) => {
                self.readers.unsubscribe(subscriber);
                drop(result.send(Err(error)));
            }
            None => {}
        }
    }
}
