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

use futures_util::future::join_all;
use herald_shared::{
    ids::{EntityId, InvalidId},
    protocol::LogName,
};
use serde_json::json;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    AttemptError, ConnectError, ConnectionState, Excerpt, History, Options, Outgoing, Presence,
    Pushes, Reply, RequestError, Snapshot, StateError, StateSubscription, StopReason,
    SubscribeOptions, Subscription, Subscriptions, Transport,
    driver::{
        self, Address, Command, Feed, FirstAttempt, LastFailure, PollUrl, Subscribe, SubscriberId,
    },
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
    transport: watch::Receiver<Transport>,
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
    /// [`ConnectError::InvalidPollUrl`] if [`Options::poll_url`] is not an address of HTTP,
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
    /// Returns [`ConnectError::InvalidAddress`] if `address` is not a WebSocket address, and
    /// [`ConnectError::InvalidPollUrl`] if [`Options::poll_url`] is not an address of HTTP.
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
        let poll_url = options
            .poll_url
            .as_deref()
            .map(PollUrl::parse)
            .transpose()?;
        let (commands, received) = mpsc::unbounded_channel();
        let (states, state) = watch::channel(ConnectionState::Connecting);
        let (transports, transport) = watch::channel(Transport::default());
        let buffer = options.buffer;
        let rules = Arc::new(options.rules());
        let failure = LastFailure::default();
        let reports = driver::Reports {
            states: states.clone(),
            transports,
            failure: failure.clone(),
            first_attempt,
        };
        let run = driver::run(address, poll_url, options, received, reports);
        tokio::spawn(driver::supervise(run, states));
        Ok(Self {
            commands,
            state,
            transport,
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
    /// establishes it again on every later connection, until the subscription is dropped. The entity is an
    /// [`EntityId`], or a text, which is checked.
    ///
    /// ```no_run
    /// use herald_client::{ErrorCode, RequestError};
    ///
    /// # async fn example(client: herald_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// match client.subscribe("order-1").await {
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
    /// Returns [`RequestError::InvalidEntity`] if the text is not an id, [`RequestError::Server`] if the server refuses
    /// the subscription, and any other [`RequestError`] if it did not answer.
    pub async fn subscribe<E>(&self, entity: E) -> Result<Subscription, RequestError>
    where
        E: TryInto<EntityId>,
        E::Error: Into<InvalidId>,
    {
        self.subscribe_with(entity, SubscribeOptions::new()).await
    }

    /// Subscribes to several entities together, and reads them together: each item names its entity. Returns once the
    /// server has answered for each; one that it refuses has the refusal as its only item.
    ///
    /// ```no_run
    /// use herald_client::Next;
    ///
    /// # async fn example(client: herald_client::Client) -> Result<(), herald_client::RequestError> {
    /// let mut orders = client.subscribe_many(["order-1", "order-2"]).await?;
    /// while let Some((order, event)) = orders.next_event().await {
    ///     match event {
    ///         Ok(Next::Message(push)) => println!("{order}: {}", push.json()),
    ///         Ok(_) => println!("{order}: read it anew"),
    ///         Err(error) => println!("{order}: {error}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`RequestError::InvalidEntity`] if one of the texts is not an id: then it subscribes to none.
    pub async fn subscribe_many<E>(
        &self,
        entities: impl IntoIterator<Item = E>,
    ) -> Result<Subscriptions, RequestError>
    where
        E: TryInto<EntityId>,
        E::Error: Into<InvalidId>,
    {
        let entities: Result<Vec<_>, _> = entities.into_iter().map(checked).collect();
        let subscribing = entities?.into_iter().map(|entity| async move {
            let options = SubscribeOptions::new();
            (
                entity.clone(),
                self.subscribe_checked(entity, options).await,
            )
        });
        Ok(Subscriptions::new(join_all(subscribing).await))
    }

    /// Subscribes to an entity as [`Client::subscribe`] does, from a saved position or with the last messages
    /// of the entity's log.
    ///
    /// ```no_run
    /// use herald_client::{Position, SubscribeOptions};
    ///
    /// # async fn example(client: herald_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let saved: Position = serde_json::from_str(r#"{"epoch":"k3J9x2Qa","offset":41}"#)?;
    /// let options = SubscribeOptions::new().recover(saved);
    /// let mut order = client.subscribe_with("order-1", options).await?;
    /// println!("{:?} is followed by {:?}", order.position(), order.next_event().await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Client::subscribe`]. The server refuses [`SubscribeOptions::rewind`] without the
    /// permission `history`.
    pub async fn subscribe_with<E>(
        &self,
        entity: E,
        options: SubscribeOptions,
    ) -> Result<Subscription, RequestError>
    where
        E: TryInto<EntityId>,
        E::Error: Into<InvalidId>,
    {
        self.subscribe_checked(checked(entity)?, options).await
    }

    async fn subscribe_checked(
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
    /// use herald_client::{Position, Snapshot, Update};
    ///
    /// # async fn fetch_position(order: &str) -> Result<Position, std::io::Error> { Ok(Position::START) }
    /// # async fn fetch_order(order: &str) -> Result<String, std::io::Error> { Ok(String::new()) }
    /// # async fn example(client: herald_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let state = || async {
    ///     let position = fetch_position("order-1").await?;
    ///     let order = fetch_order("order-1").await?;
    ///     Ok::<_, std::io::Error>(Snapshot::new(position, order))
    /// };
    /// let mut order = client.subscribe_with_state("order-1", state).await?;
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
    pub async fn subscribe_with_state<I, S, F, Fut, E>(
        &self,
        entity: I,
        state: F,
    ) -> Result<StateSubscription<S>, StateError>
    where
        I: TryInto<EntityId>,
        I::Error: Into<InvalidId>,
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Snapshot<S>, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let entity = checked(entity).map_err(StateError::Request)?;
        let callback = boxed(state);
        let mut snapshot = load_first(&callback).await?;
        let options = snapshot
            .position
            .clone()
            .map_or_else(SubscribeOptions::new, |position| {
                SubscribeOptions::new().recover(position)
            });
        let subscription = self.subscribe_checked(entity, options).await?;
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
    /// use herald_client::{History, LogName};
    ///
    /// # async fn example(client: herald_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// for push in client.history("room-1", History::last(50)).await?.messages {
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
    /// Returns [`RequestError::InvalidEntity`] if a text is not an id, [`RequestError::Server`] if the server refuses
    /// the request, for instance because the audience has no log, and any other [`RequestError`] if it did not answer.
    pub async fn history<L>(&self, of: L, history: History) -> Result<Excerpt, RequestError>
    where
        L: TryInto<LogName>,
        L::Error: Into<InvalidId>,
    {
        let of = of
            .try_into()
            .map_err(|error| RequestError::InvalidEntity(error.into()))?;
        let reply = self.read(history.request(&of)).await?;
        Ok(Excerpt::read(&reply))
    }

    /// Reads the users at an entity, once and without a subscription. It needs the permission `presence`.
    ///
    /// ```no_run
    /// # async fn example(client: herald_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let room = client.presence("room-1").await?;
    /// println!("{} are here", room.count);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`RequestError::Server`] if the server refuses the request, for instance because the stack has no
    /// policy for the entity, and any other [`RequestError`] if it did not answer.
    pub async fn presence<E>(&self, entity: E) -> Result<Presence, RequestError>
    where
        E: TryInto<EntityId>,
        E::Error: Into<InvalidId>,
    {
        let entity = checked(entity)?;
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
    /// subscribed entities, and types that this version of the client does not know. A reader of `User Push
    /// Notification`, `Broadcast` or `message` makes the client follow the log of that audience, as
    /// [`Client::notifications`] and [`Client::broadcasts`] do.
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
    /// use herald_client::{Message, RequestError};
    ///
    /// # async fn example(client: herald_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let first = client.send(Message::to_entity("room-1", "one"));
    /// let second = client.send(Message::to_entity("room-1", "two").safe_to_repeat());
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
            Err(error) => drop(result.send(Err(error))),
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

    /// Returns the transport that the client uses, or used last.
    pub fn transport(&self) -> Transport {
        *self.transport.borrow()
    }

    /// Returns the changes of the transport from now on. Without [`Options::poll_url`] there are none.
    ///
    /// ```no_run
    /// # async fn example(client: herald_client::Client) {
    /// let mut transports = client.transports();
    /// while transports.changed().await.is_ok() {
    ///     println!("now by {}", *transports.borrow_and_update());
    /// }
    /// # }
    /// ```
    pub fn transports(&self) -> watch::Receiver<Transport> {
        let mut transports = self.transport.clone();
        transports.mark_unchanged();
        transports
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

fn checked<E>(entity: E) -> Result<EntityId, RequestError>
where
    E: TryInto<EntityId>,
    E::Error: Into<InvalidId>,
{
    entity
        .try_into()
        .map_err(|error| RequestError::InvalidEntity(error.into()))
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
