//! The driver of the state machine: one task that gives the machine the time, its inputs and random
//! numbers, and performs its effects. It decides nothing itself.

mod address;
mod clock;
mod failure;
mod panics;
mod poster;
mod readers;
mod reports;
mod socket;
mod tls;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use herald_shared::{
    error_chain::error_chain, ids::EntityId, log::Position, protocol::StartRequest,
};
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

pub(crate) use address::Address;
pub(crate) use failure::LastFailure;
pub(crate) use panics::supervise;
pub(crate) use poster::PollUrl;
pub(crate) use readers::{Feed, SubscriberId};
pub(crate) use reports::{FirstAttempt, Reports};

use crate::{
    AttemptError, Cause, Options, Reply, RequestError, Token,
    machine::{
        Effect, Input, Machine, Moment, RequestBody, RequestNumber, SocketId, Subscriber, bounded,
    },
    mailbox::Mailbox,
    presence::ToldPresence,
};
use clock::{CHECK_INTERVAL, Clock};
use panics::caught;
use poster::{Post, Poster};
use readers::{Readers, Subscriber as Reader};
use socket::CLOSE_TIMEOUT;

/// The number of inputs that wait for the machine before the sockets stop reading.
const INPUT_QUEUE: usize = 32;

/// The most commands that are received at once: subscriptions made together go out together.
const COMMANDS_AT_ONCE: usize = 256;

/// A command of the application.
pub(crate) enum Command {
    Subscribe(Subscribe),
    Unsubscribe {
        subscriber: SubscriberId,
    },
    Read {
        feed: Feed,
        mailbox: Mailbox,
    },
    Send {
        body: RequestBody,
        safe_to_repeat: bool,
        time_to_live: Option<Duration>,
        result: oneshot::Sender<Result<Reply, RequestError>>,
    },
    NetworkUp,
    NetworkDown,
    Foreground,
    BreakConnection,
    Close {
        within: Duration,
    },
}

/// A subscriber that waits for its acknowledgement.
pub(crate) struct Subscribe {
    pub(crate) subscriber: SubscriberId,
    pub(crate) entity: EntityId,
    pub(crate) start: StartRequest,
    pub(crate) mailbox: Mailbox,
    /// Gets the presence of the entity. `None` if the subscriber does not ask for it.
    pub(crate) presence: Option<watch::Sender<Option<ToldPresence>>>,
    pub(crate) result: oneshot::Sender<Result<(), RequestError>>,
}

/// Runs a client until it has stopped and its sockets are closed.
pub(crate) async fn run(
    address: Address,
    poll_url: Option<PollUrl>,
    options: Options,
    mut commands: mpsc::UnboundedReceiver<Command>,
    reports: Reports,
) {
    let (inputs, mut received) = mpsc::channel(INPUT_QUEUE);
    let mut machine = Machine::new(options.rules(), fastrand::f64);
    let poster = poll_url.map(|url| Poster::new(url, &options, inputs.clone(), &reports));
    let mut driver = Driver::new(address, options, reports, inputs, poster);
    let mut clock = Clock::new();
    let mut checks = interval(CHECK_INTERVAL);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = Vec::new();
    let mut input = Some(Input::Connect);
    while !machine.has_stopped() {
        if let Some(input) = input.take() {
            driver.handle(&mut machine, clock.now(), input);
            continue;
        }
        if let Some(command) = driver.commands.pop_front() {
            input = driver.input_of(command);
            continue;
        }
        let wake = machine.wake().map(|at| clock.instant_of(at));
        input = tokio::select! {
            count = commands.recv_many(&mut batch, COMMANDS_AT_ONCE) => {
                driver.commands.extend(batch.drain(..));
                // The last handle was dropped.
                (count == 0).then_some(Input::Close { within: Duration::ZERO })
            }
            // Never `None`: the driver holds a sender itself.
            Some(input) = received.recv() => Some(input),
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => Some(Input::Time),
            // The connection may have been lost during a sleep.
            _ = checks.tick() => clock.has_jumped().then_some(Input::Foreground),
            // Reaps the tasks that ended.
            Some(_) = driver.tasks.join_next() => None,
            Some(_) = driver.token_tasks.join_next() => None,
        };
    }
    // No input and no command is handled from here on.
    drop(received);
    drop(commands);
    driver.commands.clear();
    // Dropping the mailboxes informs their readers that the client has stopped.
    driver.readers = Readers::default();
    driver.sockets.clear();
    driver.poster = None;
    let closed = async { while driver.tasks.join_next().await.is_some() {} };
    // Drops the sockets that do not close in time.
    let _ = timeout(CLOSE_TIMEOUT, closed).await;
}

struct Driver {
    address: Address,
    options: Options,
    reports: Reports,
    inputs: mpsc::Sender<Input>,
    /// Commands that the machine has not handled yet.
    commands: VecDeque<Command>,
    sockets: HashMap<SocketId, Socket>,
    /// The sender of HTTP requests. `None` without a poll URL.
    poster: Option<Poster>,
    /// The tasks that serve the sockets.
    tasks: JoinSet<()>,
    /// The tasks that wait for the token callback. They end with the client.
    token_tasks: JoinSet<()>,
    /// The last of them for each socket, which ends with the socket: a callback may hang.
    asking: HashMap<SocketId, AbortHandle>,
    requests: u64,
    pending: HashMap<RequestNumber, PendingResult>,
    readers: Readers,
}

/// A socket that is open, or in its handshake.
struct Socket {
    /// The texts to send. Dropping the sender closes the socket.
    outgoing: mpsc::UnboundedSender<String>,
    is_open: bool,
    /// Ends the socket without a close.
    breaks: Arc<Notify>,
}

/// The recipient of a request's result.
enum PendingResult {
    Reply(oneshot::Sender<Result<Reply, RequestError>>),
    Subscription(SubscriberId, oneshot::Sender<Result<(), RequestError>>),
}

impl PendingResult {
    fn is_of(&self, subscriber: SubscriberId) -> bool {
        matches!(self, Self::Subscription(pending, _) if *pending == subscriber)
    }
}

impl Driver {
    fn new(
        address: Address,
        options: Options,
        reports: Reports,
        inputs: mpsc::Sender<Input>,
        poster: Option<Poster>,
    ) -> Self {
        Self {
            address,
            options,
            reports,
            inputs,
            commands: VecDeque::new(),
            sockets: HashMap::new(),
            poster,
            tasks: JoinSet::new(),
            token_tasks: JoinSet::new(),
            asking: HashMap::new(),
            requests: 0,
            pending: HashMap::new(),
            readers: Readers::default(),
        }
    }

    /// Hands an input to the machine, and performs its effects.
    fn handle(&mut self, machine: &mut Machine, now: Moment, input: Input) {
        if let Input::Opened { socket } = &input
            && let Some(socket) = self.sockets.get_mut(socket)
        {
            socket.is_open = true;
        }
        if let Input::Answered {
            socket,
            status: Some(_),
            ..
        } = &input
            && let Some(poster) = &mut self.poster
        {
            poster.note_answer(*socket);
        }
        let is_timer = matches!(input, Input::Time);
        let effects = machine.handle(now, input);
        let may_time_out = is_timer && !machine.has_stopped();
        for effect in effects {
            if may_time_out {
                self.note_timeout(&effect);
            }
            self.perform(effect);
        }
    }

    /// Remembers that an attempt timed out, if that is why a socket is closed: a timer closes a socket that
    /// is not open for no other reason.
    fn note_timeout(&self, effect: &Effect) {
        let Effect::CloseSocket { socket } = effect else {
            return;
        };
        let is_open = self
            .sockets
            .get(socket)
            .is_some_and(|socket| socket.is_open);
        let polls = self.poster.as_ref();
        if !is_open && !polls.is_some_and(|poster| poster.has_answer(*socket)) {
            self.reports.failure.set(AttemptError::TimedOut);
        }
    }

    /// Returns the machine's input for a command. `None` if the command does not concern the machine.
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
                let (entity, reader) = self.readers.unsubscribe(subscriber)?;
                self.pending.retain(|_, pending| !pending.is_of(subscriber));
                let presence = reader.presence.is_some();
                Some(Input::Unsubscribe { entity, presence })
            }
            Command::Read { feed, mailbox } => {
                let audience = feed.audience();
                self.readers.add(feed, mailbox);
                audience.map(|audience| Input::Follow { audience })
            }
            Command::Send {
                body,
                safe_to_repeat,
                time_to_live,
                result,
            } => Some(Input::Send {
                request: self.add_pending(PendingResult::Reply(result)),
                body,
                safe_to_repeat,
                time_to_live: time_to_live.map(bounded),
            }),
            Command::NetworkUp => Some(Input::NetworkUp),
            Command::NetworkDown => Some(Input::NetworkDown),
            Command::Foreground => Some(Input::Foreground),
            Command::BreakConnection => {
                let open = self.sockets.values().filter(|socket| socket.is_open);
                // Each socket then reports that it has closed.
                open.for_each(|socket| socket.breaks.notify_one());
                None
            }
            Command::Close { within } => Some(Input::Close {
                within: bounded(within),
            }),
        }
    }

    fn add_subscriber(&mut self, subscribe: Subscribe) -> Subscriber {
        let Subscribe {
            subscriber,
            entity,
            start,
            mailbox,
            presence,
            result,
        } = subscribe;
        let asks = presence.is_some();
        let reader = Reader { mailbox, presence };
        self.readers.subscribe(subscriber, entity.clone(), reader);
        let request = self.add_pending(PendingResult::Subscription(subscriber, result));
        Subscriber {
            request,
            entity,
            start,
            presence: asks,
        }
    }

    fn add_pending(&mut self, pending: PendingResult) -> RequestNumber {
        self.requests += 1;
        let request = RequestNumber(self.requests);
        self.pending.insert(request, pending);
        request
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::State(state) => self.reports.announce(state),
            Effect::AskToken { socket } => self.ask_token(socket),
            Effect::OpenSocket { socket, token } => self.open(socket, token),
            Effect::Send { socket, text } => {
                if let Some(socket) = self.sockets.get(&socket) {
                    // Fails only if the socket has ended, and its `Closed` is in the queue of inputs.
                    let _ = socket.outgoing.send(text);
                }
            }
            Effect::Post {
                socket,
                request,
                path,
                token,
                text,
            } => {
                if let Some(poster) = &mut self.poster {
                    let post = Post {
                        socket,
                        request,
                        path,
                        text,
                    };
                    poster.post(post, token.as_deref());
                }
            }
            Effect::Transport(transport) => self.reports.announce_transport(transport),
            Effect::CloseSocket { socket } => {
                self.sockets.remove(&socket);
                if let Some(asking) = self.asking.remove(&socket) {
                    asking.abort();
                }
                if let Some(poster) = &mut self.poster {
                    poster.abandon(socket);
                }
            }
            Effect::Resolve {
                request,
                reply,
                position,
            } => self.resolve(request, reply, position),
            Effect::Reject { request, error } => self.reject(request, error),
            Effect::Deliver { to, push } => self.readers.deliver(&to, &push),
            Effect::Lost { to, position } => self.readers.lost(&to, position.as_ref()),
            Effect::Presence { entity, told } => self.readers.tell_presence(&entity, &told),
            Effect::Ended { entity, error } => self.readers.end(&entity, &error),
        }
    }

    fn ask_token(&mut self, socket: SocketId) {
        let Some(callback) = &self.options.token else {
            return;
        };
        let (callback, inputs) = (callback.clone(), self.inputs.clone());
        let failure = self.reports.failure.clone();
        let asking = self.token_tasks.spawn(async move {
            let token = caught(async { callback().await }).await;
            let input = match token.unwrap_or_else(|panic| Err(panic.into())) {
                Ok(Token { text, expires_in }) => Input::Token {
                    socket,
                    token: text,
                    expires_in: expires_in.map(bounded),
                },
                Err(error) => {
                    tracing::warn!(error = error_chain(&*error), "the token callback failed");
                    failure.set(AttemptError::TokenCallback(Cause::new(error)));
                    Input::TokenFailed { socket }
                }
            };
            let _ = inputs.send(input).await;
        });
        self.asking.retain(|_, asking| !asking.is_finished());
        if let Some(former) = self.asking.insert(socket, asking) {
            former.abort();
        }
    }

    fn open(&mut self, socket: SocketId, token: Option<String>) {
        let (outgoing, to_send) = mpsc::unbounded_channel();
        self.sockets
            .retain(|_, socket| !socket.outgoing.is_closed());
        let breaks = Arc::new(Notify::new());
        let opening = Socket {
            outgoing,
            is_open: false,
            breaks: breaks.clone(),
        };
        self.sockets.insert(socket, opening);
        let tls = self.options.tls.clone();
        let request = self.address.request(token.as_deref());
        let (inputs, failure) = (self.inputs.clone(), self.reports.failure.clone());
        self.tasks.spawn(async move {
            let input = match request {
                Err(reason) => Input::Invalid {
                    socket,
                    reason: reason.to_owned(),
                },
                Ok(request) => {
                    let last_failure = failure.clone();
                    let inputs = inputs.clone();
                    let run =
                        socket::run(socket, request, tls, to_send, breaks, inputs, last_failure);
                    // TLS runs code of the application, such as the verifier of a certificate.
                    let Err(panic) = caught(run).await else {
                        return;
                    };
                    tracing::error!(panic, "a socket panicked");
                    failure.set(AttemptError::Unreachable(Cause::new(panic)));
                    Input::Closed {
                        socket,
                        close_frame: false,
                    }
                }
            };
            // Fails only if the client has stopped.
            let _ = inputs.send(input).await;
        });
    }

    /// Hands over the result of a request. The recipient may have been dropped.
    fn resolve(
        &mut self,
        request: RequestNumber,
        reply: Option<Reply>,
        position: Option<Position>,
    ) {
        match (self.pending.remove(&request), reply) {
            (Some(PendingResult::Reply(result)), Some(reply)) => drop(result.send(Ok(reply))),
            (Some(PendingResult::Subscription(subscriber, result)), _) => {
                self.readers.start(subscriber, position);
                drop(result.send(Ok(())));
            }
            _ => {}
        }
    }

    fn reject(&mut self, request: RequestNumber, error: RequestError) {
        match self.pending.remove(&request) {
            Some(PendingResult::Reply(result)) => drop(result.send(Err(error))),
            Some(PendingResult::Subscription(subscriber, result)) => {
                self.readers.unsubscribe(subscriber);
                drop(result.send(Err(error)));
            }
            None => {}
        }
    }
}
