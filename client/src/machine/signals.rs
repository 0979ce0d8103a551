//! The inputs and the effects of the machine.

use std::{fmt, time::Duration};

use herald_shared::{ids::EntityId, log::Position, protocol::StartRequest};

use super::audience::Audience;
use crate::{ConnectionState, Push, Reply, RequestError, presence::ToldPresence};

/// A point in time, as the duration since the machine was made.
pub(crate) type Moment = Duration;

/// The number of a socket, in the order of attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SocketId(pub(crate) u64);

/// The number of an application's request, which the driver chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RequestNumber(pub(crate) u64);

/// A request without its `id`: the text of a JSON object with one field at least.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RequestBody(String);

impl RequestBody {
    /// Wraps the text of a JSON object that is not empty.
    pub(crate) fn new(object: String) -> Self {
        debug_assert!(object.starts_with('{') && object.ends_with('}') && object.len() > 2);
        Self(object)
    }

    /// Returns the text of the object.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Returns the frame with its `id`.
    pub(crate) fn with_id(&self, id: u64) -> String {
        let fields = &self.0[..self.0.len() - 1];
        format!("{fields},\"id\":\"{id}\"}}")
    }
}

impl fmt::Debug for RequestBody {
    /// Omits the text: a log must not hold messages or tokens.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RequestBody({} bytes)", self.0.len())
    }
}

/// An event that the machine handles.
#[derive(Debug)]
pub(crate) enum Input {
    /// The application starts the client. It is the first input and does not repeat.
    Connect,
    /// The token callback supplied a token.
    Token {
        socket: SocketId,
        token: String,
        expires_in: Option<Duration>,
    },
    /// The token callback failed.
    TokenFailed { socket: SocketId },
    /// The handshake succeeded.
    Opened { socket: SocketId },
    /// The server refused the handshake.
    Refused {
        socket: SocketId,
        status: Option<u16>,
    },
    /// The server could not be reached.
    Failed { socket: SocketId },
    /// No attempt can succeed, because of the token.
    Invalid { socket: SocketId, reason: String },
    /// A text message arrived.
    Received { socket: SocketId, text: String },
    /// The socket ended.
    Closed { socket: SocketId },
    /// Subscribers are added together.
    Subscribe { subscribers: Vec<Subscriber> },
    /// A subscriber is removed. `presence` is true if it asked for presence.
    Unsubscribe { entity: EntityId, presence: bool },
    /// The application reads the pushes of the user or of everyone.
    Follow { audience: Audience },
    /// The application sends a message.
    Send {
        request: RequestNumber,
        body: RequestBody,
        safe_to_repeat: bool,
        time_to_live: Option<Duration>,
    },
    /// A hint that the network is up.
    NetworkUp,
    /// A hint that the network is down.
    NetworkDown,
    /// A hint that the application came to the foreground, or that the computer slept.
    Foreground,
    /// The application closes the client.
    Close { within: Duration },
    /// Time passed.
    Time,
}

/// A subscriber that waits for its acknowledgement.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) request: RequestNumber,
    pub(crate) entity: EntityId,
    /// The messages that it wants besides the coming ones. Counts for the first subscriber of an entity.
    pub(crate) start: StartRequest,
    /// True if it asks for presence.
    pub(crate) presence: bool,
}

/// An action for the driver.
#[derive(Debug)]
pub(crate) enum Effect {
    /// The state changed.
    State(ConnectionState),
    /// Ask the token callback.
    AskToken { socket: SocketId },
    /// Open a socket.
    OpenSocket {
        socket: SocketId,
        token: Option<String>,
    },
    /// Send one text message.
    Send { socket: SocketId, text: String },
    /// Close a socket, or abandon its attempt.
    CloseSocket { socket: SocketId },
    /// A request succeeded. Subscriptions have no reply, but a position if their entity has a log.
    Resolve {
        request: RequestNumber,
        reply: Option<Reply>,
        position: Option<Position>,
    },
    /// A request failed.
    Reject {
        request: RequestNumber,
        error: RequestError,
    },
    /// A push arrived for the application.
    Deliver { to: Route, push: Push },
    /// Messages may be lost. Delivery goes on from the position: `None` if the audience has no log any more.
    Lost {
        to: Route,
        position: Option<Position>,
    },
    /// The presence of an entity changed, or a subscriber was added that was not told it yet.
    Presence {
        entity: EntityId,
        told: ToldPresence,
    },
    /// An established subscription ended.
    Ended {
        entity: EntityId,
        error: RequestError,
    },
}

/// The readers of a push, besides those of its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The subscribers of the entity.
    Entity(EntityId),
    /// The readers of the user's notifications.
    Notifications,
    /// The readers of broadcasts.
    Broadcasts,
    /// No other readers.
    Other,
}
