//! The application's handle on its connection.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll},
    time::Duration,
};

use herald_shared::{ids::EntityId, protocol::LogName};
use serde_json::json;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    AttemptError, ConnectError, ConnectionState, Excerpt, History, Options, Outgoing, Presence,
    Pushes, Reply, RequestError, Snapshot, StateError, StateSubscription, StopReason,
    SubscribeOptions, Subscription,
    driver::{self, Address, Command, Feed, FirstAttempt, LastFailure, Subscribe, SubscriberId},
    machine::{RequestBody, Rules, presence_of},
    mailbox::mailbox,
    state_subscription::{boxed, load_first},
};

/// A handle on one connection. Clones share it.
///
/// The connection lasts until [`Client::close`], or until every handle, every [`Subscription`] and every
/// [`Pushes`] is dropped; messages that are still in the outbox then are lost.
#[derive(Clone)]
pub struct Client {
    commands: mpsc::UnboundedSender<Command>,
    state: watch::Receiver<ConnectionState>,
    failure: LastFailure,
    subscribers: Arc<AtomicU64>,
    buffer: usize,
    rules: Arc<Rules>,
}

impl Client {
    /// Connects to the address of a Herald stack, its output `WebSocketUri`, and returns once the
    /// connection is open. Later it reconnects by itself.
    ///
    /// The first attempt is the only one: an application that should wait for its server uses
    /// [`Client::start`].
    ///
    /// ```no_run
    /// use herald_client::{AttemptError, Client, ConnectError, Options};
    ///
    /// # async fn example() -> Result<(), ConnectError> {
    /// let client = match Client::connect("ws://127.0.0.1:3030/dev", Options::new()).await {
    ///     Err(ConnectError::Attempt(AttemptError::Refused { status: 401 })) => panic!("sign in again"),
    ///     connected => connected?,
    /// };
    /// let another_handle = client.clone();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ConnectError::InvalidAddress`] if `address` is not a WebSocket address,
    /// [`ConnectError::Attempt`] if the attempt failed, and [`ConnectError::Stopped`] if no attempt can
    /// succeed.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub async fn connect(address: &str, options: Options) -> Result<Self, ConnectError> {
        let (result, first_attempt) = oneshot::channel();
        let client = Self::run(address, options, Some(result))?;
        match first_attempt.await {
            Ok(result) => result.map(|()| client),
            Err(_) => Err(ConnectError::Stopped(client.stop_reason().await)),
        }
    }

    /// Returns a client at once; it connects in the background, and retries until it is connected.
    /// Meanwhile subscriptions and messages wait for the connection, and [`Client::last_failure`] has the
    /// error of the last attempt.
    ///
    /// ```no_run
    /// use herald_client::{Client, ConnectError, ConnectionState, Options};
    ///
    /// # async fn example() -> Result<(), ConnectError> {
    /// let client = Client::start("ws://127.0.0.1:3030/dev", Options::new())?;
    /// let mut states = client.states();
    /// let open = states.wait_for(|state| *state == ConnectionState::Open).await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ConnectError::InvalidAddress`] if `address` is not a WebSocket address.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub fn start(address: &str, options: Options) -> Result<Self, ConnectError> {
        Self::run(address, options, None)
    }

    fn run(
        address: &str,
        options: Options,
        first_attempt: Option<FirstAttempt>,
    ) -> Result<Self, ConnectError> {
        let address = Address::parse(address)?;
        let (commands, received) = mpsc::unbounded_channel();
        let (states, state) = watch::channel(ConnectionState::Connecting);
        let buffer = options.buffer;
        let rules = Arc::new(options.rules.clone());
        let failure = LastFailure::default();
        let reports = driver::Reports {
            states: states.clone(),
            failure: failure.clone(),
            first_attempt,
        };
        let run = driver::run(address, options, received, reports);
        tokio::spawn(driver::supervise(run, states));
        Ok(Self {
            commands,
            state,
            failure,
            subscribers: Arc::default(),
            buffer,
            rules,
        })
    }

    /// Waits until the client has stopped, and returns the reason.
    async fn stop_reason(&self) -> StopReason {
        let mut states = self.state.clone();
        let stopped = states.wait_for(|state| matches!(state, ConnectionState::Stopped(_)));
        match stopped.await.as_deref() {
            Ok(ConnectionState::Stopped(reason)) => reason.clone(),
            _ => StopReason::Failed {
                reason: "its task ended".to_owned(),
            },
        }
    }

    /// Subscribes to an entity; returns once the server has acknowledged the subscription. The client
    /// establishes it again on every later connection, until the subscription is dropped.
    ///
    /// ```no_run
    /// use herald_client::{EntityId, ErrorCode, RequestError};
    ///
    /// # async fn example(client: herald_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// match client.subscribe(EntityId::new("order-1")?).await {
    ///     Ok(mut order) => println!("{:?}", order.recv().await?),
    ///     Err(RequestError::Server(error)) if error.code() == Some(ErrorCode::Forbidden) => println!("not yours"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`RequestError::Server`] if the server refuses the subscription, and any other
    /// [`RequestError`] if it did not answer.
    pub async fn subscribe(&self, entity: EntityId) -> Result<Subscription, RequestError> {
        self.subscribe_with(entity, SubscribeOptions::new()).await
    }

    /// Subscribes to an entity as [`Client::subscribe`] does, from a saved position or with the last messages
    /// of the entity's log.
    ///
    /// ```no_run
    /// use herald_client::{EntityId, Position, SubscribeOptions};
    ///
    /// # async fn example(client: herald_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let saved: Position = serde_json::from_str(r#"{"epoch":"k3J9x2Qa","offset":41}"#)?;
    /// let options = SubscribeOptions::new().recover(saved);
    /// let mut order = client.subscribe_with(EntityId::new("order-1")?, options).await?;
    /// println!("{:?} is followed by {:?}", order.position(), order.next_event().await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Client::subscribe`]. The server refuses [`SubscribeOptions::rewind`] without the
    /// permission `history`.
    pub async fn subscribe_with(
        &self,
        entity: EntityId,
        options: SubscribeOptions,
    ) -> Result<Subscription, RequestError> {
        let subscriber = SubscriberId(self.subscribers.fetch_add(1, Ordering::Relaxed));
        let (mailbox, reader) = mailbox(self.buffer);
        let (result, acknowledged) = oneshot::channel();
        let pushes = Pushes::new(reader, self.commands.clone());
        let (presence, told) = watch::channel(None);
        // Made before the acknowledgement, so that dropping this future unsubscribes.
        let subscription = Subscription::new(entity.clone(), subscriber, pushes, told);
        self.command(Command::Subscribe(Subscribe {
            subscriber,
            entity,
            start: options.start,
            mailbox,
            presence: options.presence.then_some(presence),
            result,
        }));
        acknowledged.await.unwrap_or(Err(RequestError::Stopped))?;
        Ok(subscription)
    }

    /// Subscribes to an entity with its state, which a callback of the application loads.
    ///
    /// The callback reads **first** the position of the entity's log, for instance by [`Client::history`] with
    /// `History::last(0)` on the backend, and then the state. The subscription delivers the messages after that
    /// position, and each message once. When messages are lost, the callback is called again, and
    /// [`StateSubscription::next`] returns the new state. An entity without a log has no position: the callback is
    /// then called a second time after the acknowledgement, and again after every reconnect.
    ///
    /// ```no_run
    /// use herald_client::{EntityId, Position, Snapshot, Update};
    ///
    /// # async fn fetch_position(order: &str) -> Result<Position, std::io::Error> { Ok(Position::START) }
    /// # async fn fetch_order(order: &str) -> Result<String, std::io::Error> { Ok(String::new()) }
    /// # async fn example(client: herald_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let state = || async {
    ///     let position = fetch_position("order-1").await?;
    ///     let order = fetch_order("order-1").await?;
    ///     Ok::<_, std::io::Error>(Snapshot::new(position, order))
    /// };
    /// let mut order = client.subscribe_with_state(EntityId::new("order-1")?, state).await?;
    /// loop {
    ///     match order.next().await? {
    ///         Update::State(order) => println!("the order is {order}"),
    ///         Update::Message(push) => println!("and then {}", push.json()),
    ///         _ => {}
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`StateError::Callback`] if the callback fails before the subscription is established, and
    /// [`StateError::Request`] with the errors of [`Client::subscribe`].
    pub async fn subscribe_with_state<S, F, Fut, E>(
        &self,
        entity: EntityId,
        state: F,
    ) -> Result<StateSubscription<S>, StateError>
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Snapshot<S>, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let callback = boxed(state);
        let mut snapshot = load_first(&callback).await?;
        let options = snapshot
            .position
            .clone()
            .map_or_else(SubscribeOptions::new, |position| {
                SubscribeOptions::new().recover(position)
            });
        let subscription = self.subscribe_with(entity, options).await?;
        let states = self.states();
        if snapshot.position.is_none() {
            snapshot = load_first(&callback).await?;
        }
        let rules = self.rules.clone();
        Ok(StateSubscription::new(
            subscription,
            callback,
            snapshot,
            states,
            rules,
        ))
    }

    /// Reads messages of a log: that of an entity by its id, that of the connection's user, or that of everyone. It
    /// needs the permission `history`, except for the user's own log. The subscriptions and readers of the client
    /// do not get the messages.
    ///
    /// ```no_run
    /// use herald_client::{EntityId, History, LogName};
    ///
    /// # async fn example(client: herald_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// for push in client.history(EntityId::new("room-1")?, History::last(50)).await?.messages {
    ///     println!("{}", push.json());
    /// }
    /// let mine = client.history(LogName::User, History::last(10)).await?;
    /// println!("{} of {} notifications", mine.messages.len(), mine.top);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`RequestError::Server`] if the server refuses the request, for instance because the audience has
    /// no log, and any other [`RequestError`] if it did not answer.
    pub async fn history(
        &self,
        of: impl Into<LogName>,
        history: History,
    ) -> Result<Excerpt, RequestError> {
        let reply = self.read(history.request(&of.into())).await?;
        Ok(Excerpt::read(&reply))
    }

    /// Reads the users at an entity, once and without a subscription. It needs the permission `presence`.
    ///
    /// ```no_run
    /// use herald_client::EntityId;
    ///
    /// # async fn example(client: herald_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let room = client.presence(EntityId::new("room-1")?).await?;
    /// println!("{} are here", room.count);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`RequestError::Server`] if the server refuses the request, for instance because the stack has no
    /// policy for the entity, and any other [`RequestError`] if it did not answer.
    pub async fn presence(&self, entity: EntityId) -> Result<Presence, RequestError> {
        let request = json!({"action": "presence", "entityId": entity});
        let reply = self.read(request.to_string()).await?;
        let snapshot = presence_of(&reply).map(|snapshot| snapshot.presence);
        Ok(snapshot.unwrap_or_else(|| Presence::new(0, None)))
    }

    /// Makes a request that changes nothing.
    async fn read(&self, request: String) -> Result<Reply, RequestError> {
        let (result, reply) = oneshot::channel();
        self.command(Command::Send {
            body: RequestBody::new(request),
            safe_to_repeat: true,
            time_to_live: None,
            result,
        });
        PendingReply { reply }.await
    }

    /// Returns the notifications to the user of the token.
    pub fn notifications(&self) -> Pushes {
        self.pushes(Feed::Notifications)
    }

    /// Returns the pushes to everyone: broadcasts from EventBridge, and clients' messages to everyone.
    pub fn broadcasts(&self) -> Pushes {
        self.pushes(Feed::Broadcasts)
    }

    /// Returns every push whose `type` is `kind`. Other readers get these pushes too. It includes those of
    /// subscribed entities, and types that this version of the client does not know.
    ///
    /// ```no_run
    /// # async fn example(client: herald_client::Client) -> Result<(), herald_client::SubscriptionError> {
    /// let mut updates = client.pushes_of_type("Entity Updated");
    /// let update = updates.recv().await?;
    /// println!("{:?}", update.entity_id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn pushes_of_type(&self, kind: impl Into<String>) -> Pushes {
        self.pushes(Feed::Type(kind.into()))
    }

    fn pushes(&self, feed: Feed) -> Pushes {
        let (mailbox, reader) = mailbox(self.buffer);
        self.command(Command::Read { feed, mailbox });
        Pushes::new(reader, self.commands.clone())
    }

    /// Sends a [`Message`](crate::Message) or a [`Batch`](crate::Batch). It enters the outbox at once, in the
    /// order of the calls, and is sent as soon as there is a connection. Await the reply for the outcome, or
    /// drop it: the message is sent in both cases.
    ///
    /// ```no_run
    /// use herald_client::{EntityId, Message, RequestError};
    ///
    /// # async fn example(client: herald_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let room = EntityId::new("room-1")?;
    /// let first = client.send(Message::to_entity(room.clone(), "one"));
    /// let second = client.send(Message::to_entity(room, "two").safe_to_repeat());
    /// match first.await {
    ///     Ok(reply) => println!("delivered as {:?}", reply.event_ids()),
    ///     Err(RequestError::OutcomeUnknown) => println!("perhaps"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// second.await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn send(&self, message: impl Into<Outgoing>) -> PendingReply {
        let (result, reply) = oneshot::channel();
        let Outgoing {
            body,
            safe_to_repeat,
            time_to_live,
        } = message.into();
        match body {
            Ok(body) => self.command(Command::Send {
                body,
                safe_to_repeat,
                time_to_live,
                result,
            }),
            // Fails only if the receiver is dropped, and it is returned below.
            Err(cause) => drop(result.send(Err(RequestError::Serialize(cause)))),
        }
        PendingReply { reply }
    }

    /// Returns the state of the connection.
    pub fn state(&self) -> ConnectionState {
        self.state.borrow().clone()
    }

    /// Returns the changes of the state from now on. A slow reader sees the latest state only.
    ///
    /// ```no_run
    /// use herald_client::ConnectionState;
    ///
    /// # async fn example(client: herald_client::Client) {
    /// let mut states = client.states();
    /// while states.changed().await.is_ok() {
    ///     match &*states.borrow_and_update() {
    ///         ConnectionState::Open => println!("open: read everything anew"),
    ///         ConnectionState::Reconnecting { delay, .. } => println!("offline, again in {delay:?}"),
    ///         ConnectionState::Stopped(reason) => println!("{reason}"),
    ///         _ => {}
    ///     }
    /// }
    /// # }
    /// ```
    pub fn states(&self) -> watch::Receiver<ConnectionState> {
        let mut states = self.state.clone();
        states.mark_unchanged();
        states
    }

    /// Returns the error of the last attempt that failed, for display while the state is
    /// [`ConnectionState::Reconnecting`]. `None` if no attempt failed.
    pub fn last_failure(&self) -> Option<AttemptError> {
        self.failure.last()
    }

    /// Hints that the network is up: the client reconnects at once, or checks its connection.
    pub fn network_up(&self) {
        self.command(Command::NetworkUp);
    }

    /// Hints that the network is down: the client closes its connection, and tries again after
    /// [`Client::network_up`] or [`Client::foreground`], or after a minute at most.
    pub fn network_down(&self) {
        self.command(Command::NetworkDown);
    }

    /// Hints that the application came to the foreground: the client reconnects at once, or checks its
    /// connection.
    pub fn foreground(&self) {
        self.command(Command::Foreground);
    }

    /// Breaks the open connection without a close, as a network failure does. The client reconnects by its usual
    /// rules. For load tests, and for tests of an application's behaviour.
    pub fn break_connection(&self) {
        self.command(Command::BreakConnection);
    }

    /// Closes the connection for all handles, once everything in the outbox is sent and answered, or
    /// after `deadline`. Returns when it is closed.
    ///
    /// ```no_run
    /// # async fn example(client: herald_client::Client) {
    /// client.close(std::time::Duration::from_secs(5)).await;
    /// # }
    /// ```
    pub async fn close(&self, deadline: Duration) {
        self.command(Command::Close { within: deadline });
        let mut states = self.states();
        // The driver announces its last state before it closes its sockets, and ends after that.
        while states.changed().await.is_ok() {}
    }

    /// Sends the driver a command. A stopped driver drops the command with the sender of its result.
    fn command(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// The reply to a message: a future that resolves when the reply arrives, or can no longer arrive.
#[derive(Debug)]
pub struct PendingReply {
    reply: oneshot::Receiver<Result<Reply, RequestError>>,
}

impl Future for PendingReply {
    type Output = Result<Reply, RequestError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let reply = Pin::new(&mut self.reply).poll(context);
        reply.map(|reply| reply.unwrap_or(Err(RequestError::Stopped)))
    }
}
