//! One socket, from its attempt to its end.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use herald_shared::{ids::EntityId, log::Position, protocol::StartRequest};

use super::{
    audience::Audience,
    back_off::BackOff,
    outbox::QueuedMessage,
    polling::Polling,
    signals::{Moment, SocketId},
};

/// A socket of the machine.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) socket: SocketId,
    pub(super) role: Role,
    /// The time at which its attempt started.
    pub(super) started_at: Moment,
    pub(super) stage: Stage,
    /// The state of a link whose requests go by HTTP. `None` if it is a WebSocket.
    pub(super) polling: Option<Polling>,
    /// The time to renew the token. `None` if the token has no known expiry, or is being renewed.
    pub(super) authenticate_at: Option<Moment>,
    pub(super) authentication: BackOff,
    /// The requests without a reply, by their `id`.
    pub(super) in_flight: BTreeMap<u64, InFlight>,
    /// The states of entities on this socket.
    pub(super) entities: HashMap<EntityId, EntityState>,
    /// The longest time from one ping to the next, of each subscription whose acknowledgement had one.
    pub(super) keep_alives: HashMap<EntityId, Duration>,
    /// The entities whose state may not be the wanted one.
    pub(super) to_check: VecDeque<EntityId>,
    /// The entities to subscribe to again, in the order in which they failed.
    pub(super) retries: Vec<Retry>,
    /// True once the server has rejected a `subscribe` to several entities.
    pub(super) one_by_one: bool,
}

/// An entity to subscribe to again.
#[derive(Debug)]
pub(super) struct Retry {
    pub(super) at: Moment,
    pub(super) entity: EntityId,
    pub(super) back_off: BackOff,
}

/// The role of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The socket that requests are sent on.
    Current,
    /// The socket that will become the current one.
    Next,
    /// The former current socket, kept for late replies and pushes.
    Lingering { until: Moment },
}

/// The stage of a socket.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// Waits for its token.
    Token { times_out_at: Moment },
    /// Waits for its handshake.
    Handshake { times_out_at: Moment },
    /// Open.
    Open(Open),
}

/// The times of an open socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) opened_at: Moment,
    /// The time at which it becomes stable. `None` if it is stable.
    pub(super) stable_at: Option<Moment>,
    /// The time at which another link is to replace it.
    pub(super) renew_at: Moment,
    pub(super) received_at: Moment,
    /// The time of the last ping, or of the `sync` in its place, or at which it opened.
    pub(super) pinged_at: Moment,
    /// The time of the first request since the last text arrived. `None` if none was sent since.
    pub(super) unanswered_since: Option<Moment>,
    /// The time-out of a ping without an answer.
    pub(super) pong_by: Option<Moment>,
}

/// A request without a reply.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) kind: RequestKind,
    pub(super) times_out_at: Moment,
}

/// The kind of a request.
#[derive(Debug)]
pub(super) enum RequestKind {
    Send(QueuedMessage),
    /// A subscription to one entity or several.
    Subscribe(Vec<EntitySubscribe>),
    Unsubscribe(EntityId),
    Authenticate,
    /// A comparison of positions with the server's logs.
    Sync(Vec<Question>),
    /// The reading of messages since a position.
    History(Question),
    /// The poll that opens a link.
    Open,
    /// The question for the presence of an entity.
    Presence(EntityId),
}

/// One entity of a `subscribe`.
#[derive(Clone, Debug)]
pub(super) struct EntitySubscribe {
    pub(super) entity: EntityId,
    pub(super) back_off: BackOff,
    /// The session of the application's subscription that asked.
    pub(super) session: u64,
    pub(super) start: StartRequest,
    /// True if it asks for presence.
    pub(super) presence: bool,
}

/// A question about a log.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) audience: Audience,
    /// The session of the application's subscription that asked. `None` for the user and everyone.
    pub(super) session: Option<u64>,
    /// The position of the client. `None` if it asks for the present one.
    pub(super) since: Option<Position>,
}

impl RequestKind {
    /// Returns true if its reply tells the position of an audience.
    pub(super) fn asks_about(&self, audience: &Audience) -> bool {
        match (self, audience) {
            (Self::Subscribe(entities), Audience::Entity(entity)) => {
                entities.iter().any(|asked| asked.entity == *entity)
            }
            (Self::Sync(questions), _) => questions.iter().any(|asked| asked.audience == *audience),
            (Self::History(question), _) => question.audience == *audience,
            _ => false,
        }
    }
}

/// The state of an entity on a socket. The gateway handles the frames of one connection concurrently, so at
/// most one request about an entity is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntityState {
    Subscribing,
    Subscribed(Acknowledged),
    Unsubscribing,
    /// Refused with a transient error, and in its back-off.
    WaitingToRetry,
    /// Due for another attempt after its back-off.
    RetryDue(BackOff),
}

/// The acknowledgement of a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Acknowledged {
    /// True if the subscription asks for presence.
    pub(super) presence: bool,
    /// True if the entity has a log.
    pub(super) has_log: bool,
}

impl Link {
    pub(super) fn new(
        socket: SocketId,
        started_at: Moment,
        stage: Stage,
        polling: Option<Polling>,
    ) -> Self {
        Self {
            socket,
            role: Role::Next,
            started_at,
            stage,
            polling,
            authenticate_at: None,
            authentication: BackOff::default(),
            in_flight: BTreeMap::new(),
            entities: HashMap::new(),
            keep_alives: HashMap::new(),
            to_check: VecDeque::new(),
            retries: Vec::new(),
            one_by_one: false,
        }
    }

    pub(super) fn open(&self) -> Option<&Open> {
        match &self.stage {
            Stage::Open(open) => Some(open),
            _ => None,
        }
    }

    pub(super) fn open_mut(&mut self) -> Option<&mut Open> {
        match &mut self.stage {
            Stage::Open(open) => Some(open),
            _ => None,
        }
    }

    /// Returns true if new requests may be sent on it.
    pub(super) fn accepts_requests(&self) -> bool {
        self.open().is_some() && !self.lingers()
    }

    /// Returns true if it has a successor.
    pub(super) fn lingers(&self) -> bool {
        matches!(self.role, Role::Lingering { .. })
    }

    /// Returns true if every wanted entity is subscribed to on it.
    pub(super) fn is_established(&self) -> bool {
        self.open().is_some()
            && self.to_check.is_empty()
            && self
                .entities
                .values()
                .all(|state| matches!(state, EntityState::Subscribed(_)))
    }

    /// Returns the acknowledgement of an entity. `None` if it is not subscribed to it.
    pub(super) fn acknowledged(&self, entity: &EntityId) -> Option<Acknowledged> {
        match self.entities.get(entity) {
            Some(EntityState::Subscribed(acknowledged)) => Some(*acknowledged),
            _ => None,
        }
    }

    /// Notes how long after a ping the subscription to an entity demands the next. `None` if it demands none, or has
    /// ended.
    pub(super) fn note_keep_alive(&mut self, entity: &EntityId, keep_alive: Option<Duration>) {
        match keep_alive {
            Some(keep_alive) => self.keep_alives.insert(entity.clone(), keep_alive),
            None => self.keep_alives.remove(entity),
        };
    }

    /// Returns the longest time from one ping to the next, whatever arrives. `None` if no subscription demands one.
    pub(super) fn keep_alive(&self) -> Option<Duration> {
        self.keep_alives.values().min().copied()
    }

    /// Returns true once it has been open for long enough.
    pub(super) fn is_stable(&self) -> bool {
        self.open().is_some_and(|open| open.stable_at.is_none())
    }

    /// Returns the number of its oldest message in flight.
    pub(super) fn oldest_send(&self) -> Option<u64> {
        self.in_flight
            .iter()
            .find(|(_, request)| matches!(request.kind, RequestKind::Send(_)))
            .map(|(number, _)| *number)
    }

    /// Schedules the renewal of a token that expires in `left`: `before` its expiry, or at half of `left` if that
    /// is later.
    pub(super) fn token_ends_in(&mut self, now: Moment, left: Option<Duration>, before: Duration) {
        self.authenticate_at = left.map(|left| now + left.saturating_sub(before).max(left / 2));
    }
}
