//! The handle of an application on its connection.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll},
    time::Duration,
};

use herald_shared::ids::EntityId;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    AttemptError, ConnectError, ConnectionState, Options, Outgoing, Pushes, Reply, RequestError,
    Subscription,
    driver::{self, Address, Command, Kind, LastFailure, Subscribe, SubscriberId},
    mailbox::mailbox,
};

/// A handle on one connection. Clones share it.
///
/// The connection lasts until [`Client::close`], or until every handle, every [`Subscription`] and every
/// [`Pushes`] is dropped; what was not sent by then is lost.
#[derive(Clone)]
pub struct Client {
    commands: mpsc::UnboundedSender<Command>,
    state: watch::Receiver<ConnectionState>,
    failure: LastFailure,
    subscribers: Arc<AtomicU64>,
    buffer: usize,
}

impl Client {
    /// Connects to the address of a Herald stack, its output `WebSocketUri`, and returns once the
    /// connection is open. It is tried again and again; errs if the address is none, or if the server
    /// refuses the authorisation for good.
    ///
    /// ```no_run
    /// use herald_client::{Client, ConnectError, Options};
    ///
    /// # async fn example() -> Result<(), ConnectError> {
    /// let client = Client::connect("ws://127.0.0.1:3030/dev", Options::new()).await?;
    /// let another_handle = client.clone();
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(address: &str, options: Options) -> Result<Self, ConnectError> {
        let client = Self::start(address, options)?;
        let mut states = client.states();
        let settled = states
            .wait_for(|state| matches!(state, ConnectionState::Open | ConnectionState::Stopped(_)))
            .await
            .map(|state| state.clone());
        match settled {
            Ok(ConnectionState::Stopped(reason)) => Err(ConnectError::Stopped(reason)),
            _ => Ok(client),
        }
    }

    /// The same, but returns at once: what is sent and subscribed to waits for the connection. Errs if
    /// the address is none.
    pub fn start(address: &str, options: Options) -> Result<Self, ConnectError> {
        let address = Address::parse(address)?;
        let (commands, received) = mpsc::unbounded_channel();
        let (announce, state) = watch::channel(ConnectionState::Connecting);
        let buffer = options.buffer;
        let failure = LastFailure::default();
        let run = driver::run(
            address,
            options,
            received,
            announce.clone(),
            failure.clone(),
        );
        tokio::spawn(driver::supervise(run, announce));
        Ok(Self {
            commands,
            state,
            failure,
            subscribers: Arc::default(),
            buffer,
        })
    }

    /// Subscribes to an entity; returns once the server has acknowledged it. The client keeps it
    /// established on every later connection, until it is dropped. Errs with the server's refusal.
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
    pub async fn subscribe(&self, entity: EntityId) -> Result<Subscription, RequestError> {
        let subscriber = SubscriberId(self.subscribers.fetch_add(1, Ordering::Relaxed));
        let (mailbox, reader) = mailbox(self.buffer);
        let (result, acknowledged) = oneshot::channel();
        let pushes = Pushes::new(reader, self.commands.clone());
        // Made before it is established: whoever stops waiting unsubscribes.
        let subscription = Subscription::new(entity.clone(), subscriber, pushes);
        self.command(Command::Subscribe(Subscribe {
            subscriber,
            entity,
            mailbox,
            result,
        }));
        acknowledged.await.unwrap_or(Err(RequestError::Stopped))?;
        Ok(subscription)
    }

    /// What is pushed to the user that the token names, whatever the connection.
    pub fn notifications(&self) -> Pushes {
        self.pushes(Kind::Notifications)
    }

    /// What is pushed to everyone: broadcasts from EventBridge, and clients' messages to everyone.
    pub fn broadcasts(&self) -> Pushes {
        self.pushes(Kind::Broadcasts)
    }

    /// Every push whose `type` is `kind`, beside the other routes: those of entities that are subscribed
    /// to, and types that this version of the client does not know.
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
        self.pushes(Kind::Type(kind.into()))
    }

    fn pushes(&self, kind: Kind) -> Pushes {
        let (mailbox, reader) = mailbox(self.buffer);
        self.command(Command::Read { kind, mailbox });
        Pushes::new(reader, self.commands.clone())
    }

    /// Sends a [`Message`](crate::Message) or a [`Batch`](crate::Batch). It takes its place in the outbox at
    /// once, in the order of the calls, and goes out as soon as there is a connection. Await the reply to
    /// learn what became of it, or drop it: the message is sent all the same.
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
        let message = message.into();
        self.command(Command::Send { message, result });
        PendingReply { reply }
    }

    /// How the connection stands.
    pub fn state(&self) -> ConnectionState {
        self.state.borrow().clone()
    }

    /// How the connection stands from now on, change by change. A reader that is slow sees the latest state
    /// and not those between.
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

    /// Why the last of the attempts that failed did, if one did: what to say while the state is
    /// [`ConnectionState::Reconnecting`].
    pub fn last_failure(&self) -> Option<AttemptError> {
        self.failure.last()
    }

    /// A hint that there is a network: reconnects at once, or finds out whether the connection is there.
    pub fn network_up(&self) {
        self.command(Command::NetworkUp);
    }

    /// A hint that there is none: closes the connection, and tries again after [`Client::network_up`] or
    /// [`Client::foreground`], or after a minute at most.
    pub fn network_down(&self) {
        self.command(Command::NetworkDown);
    }

    /// A hint that somebody looks at the application: reconnects at once, or finds out whether the
    /// connection is there.
    pub fn foreground(&self) {
        self.command(Command::Foreground);
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
        // Its last words come before its sockets are closed; its end comes after.
        while states.changed().await.is_ok() {}
    }

    /// Tells the connection to do something. If it has stopped, whoever waits for a result learns that
    /// because the command is dropped.
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

/// The reply to a message: resolves when it is there, or when there can be none.
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
