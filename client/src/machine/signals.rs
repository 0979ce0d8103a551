//! What the machine is told, and what it wants done.

use std::{fmt, time::Duration};

use herald_shared::ids::EntityId;

use crate::{ConnectionState, Push, Reply, RequestError};

/// A point in time, as what has passed since the machine was made.
pub(crate) type Moment = Duration;

/// One of the machine's sockets, numbered in the order of its attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SocketId(pub(crate) u64);

/// A request of the application, by the number it chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RequestNumber(pub(crate) u64);

/// A request of the application's as it goes out, but for its `id`: the text of a JSON object that has a field.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Body(String);

impl Body {
    /// A body of the text of a JSON object that is not empty.
    pub(crate) fn new(object: String) -> Self {
        debug_assert!(object.starts_with('{') && object.ends_with('}') && object.len() > 2);
        Self(object)
    }

    /// The frame's text with its `id`.
    pub(crate) fn with_id(&self, id: u64) -> String {
        let fields = &self.0[..self.0.len() - 1];
        format!("{fields},\"id\":\"{id}\"}}")
    }
}

impl fmt::Debug for Body {
    /// Not the text: a log must not hold what people write to each other, nor a token.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Body({} bytes)", self.0.len())
    }
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// The application starts the client. Comes first, and once.
    Connect,
    /// The token callback supplied a token.
    Token {
        socket: SocketId,
        token: String,
        expires_in: Option<Duration>,
    },
    /// The token callback failed.
    TokenFailed { socket: SocketId },
    /// The handshake is done.
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
    /// The socket ended, for whatever reason.
    Closed { socket: SocketId },
    /// More subscribers, all that came together.
    Subscribe {
        subscribers: Vec<(RequestNumber, EntityId)>,
    },
    /// One subscriber less.
    Unsubscribe { entity: EntityId },
    /// The application sends.
    Send {
        request: RequestNumber,
        body: Body,
        safe_to_repeat: bool,
        time_to_live: Option<Duration>,
    },
    /// A hint that there is a network again.
    NetworkUp,
    /// A hint that there is none.
    NetworkDown,
    /// A hint that the application is looked at, or that the computer was asleep.
    Foreground,
    /// The application closes the client.
    Close { within: Duration },
    /// Nothing but time passed.
    Time,
}

/// What is to be done.
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
    /// Close a socket, or give up its attempt.
    CloseSocket { socket: SocketId },
    /// A request succeeded; subscriptions have no reply.
    Resolve {
        request: RequestNumber,
        reply: Option<Reply>,
    },
    /// A request failed.
    Reject {
        request: RequestNumber,
        error: RequestError,
    },
    /// A push for the application.
    Deliver { to: Route, push: Push },
    /// An established subscription ended.
    Ended {
        entity: EntityId,
        error: RequestError,
    },
}

/// Whom a push is for, beside those who asked for its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The subscribers of the entity.
    Entity(EntityId),
    /// Whoever takes the user's notifications.
    Notifications,
    /// Whoever takes what is for everyone.
    Broadcasts,
    /// Nobody else.
    Other,
}
