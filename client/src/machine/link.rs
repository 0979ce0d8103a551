//! One socket, from the first attempt to its end.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use herald_shared::ids::EntityId;

use super::{
    back_off::BackOff,
    outbox::Outgoing,
    signals::{Moment, SocketId},
};

/// A socket of the machine's.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) socket: SocketId,
    pub(super) role: Role,
    pub(super) stage: Stage,
    /// When the token on it is to be renewed; none: unknown, or being done.
    pub(super) authenticate_at: Option<Moment>,
    pub(super) authentication: BackOff,
    /// Requests without a reply, by the number they carry as `id`.
    pub(super) under_way: BTreeMap<u64, UnderWay>,
    /// What the server was asked about entities on this socket.
    pub(super) asked: HashMap<EntityId, Asked>,
    /// Entities to look at again.
    pub(super) to_settle: VecDeque<EntityId>,
    /// Entities to ask for again, in the order in which they failed.
    pub(super) retries: Vec<Retry>,
    /// True once the server has demanded a `subscribe` for each entity.
    pub(super) one_by_one: bool,
}

/// An entity to ask for again.
#[derive(Debug)]
pub(super) struct Retry {
    pub(super) at: Moment,
    pub(super) entity: EntityId,
    pub(super) back_off: BackOff,
}

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The one that requests go to.
    Current,
    /// The one that is to become the current one.
    Next,
    /// The one that was, kept for what is late.
    Lingering { until: Moment },
}

/// How far a socket is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// Waits for its token.
    Token { give_up_at: Moment },
    /// Waits for its handshake.
    Handshake { give_up_at: Moment },
    /// Open.
    Open(Open),
}

/// What is known of an open socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    /// When it counts as stable; none: it does.
    pub(super) stable_at: Option<Moment>,
    /// When its successor is to be made.
    pub(super) renew_at: Moment,
    pub(super) heard_at: Moment,
    /// When the first request was sent of those since; none: there was none.
    pub(super) unanswered_since: Option<Moment>,
    /// Until when a ping wants an answer.
    pub(super) pong_by: Option<Moment>,
}

/// A request without a reply.
#[derive(Debug)]
pub(super) struct UnderWay {
    pub(super) what: What,
    pub(super) give_up_at: Moment,
}

/// What a request is.
#[derive(Debug)]
pub(super) enum What {
    Send(Outgoing),
    /// To one entity or several, each with the delays it had so far.
    Subscribe(Vec<(EntityId, BackOff)>),
    Unsubscribe(EntityId),
    Authenticate,
}

/// How a socket and an entity stand. Frames of one connection are handled concurrently by the
/// gateway, so there is never more than one request about an entity under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Subscribing,
    Subscribed,
    Unsubscribing,
    /// Refused, and to be asked for again later.
    WaitingToRetry,
    /// To be asked for again.
    Retrying(BackOff),
}

impl Link {
    pub(super) fn new(socket: SocketId, stage: Stage) -> Self {
        Self {
            socket,
            role: Role::Next,
            stage,
            authenticate_at: None,
            authentication: BackOff::default(),
            under_way: BTreeMap::new(),
            asked: HashMap::new(),
            to_settle: VecDeque::new(),
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

    /// Whether new requests may go to it.
    pub(super) fn takes_requests(&self) -> bool {
        self.open().is_some() && !matches!(self.role, Role::Lingering { .. })
    }

    /// Whether every wanted entity is subscribed to on it.
    pub(super) fn is_established(&self) -> bool {
        self.open().is_some()
            && self.to_settle.is_empty()
            && self.asked.values().all(|asked| *asked == Asked::Subscribed)
    }

    /// Returns the first of the application's messages that are under way on it.
    pub(super) fn oldest_send(&self) -> Option<u64> {
        self.under_way
            .iter()
            .find(|(_, request)| matches!(request.what, What::Send(_)))
            .map(|(number, _)| *number)
    }

    /// When the token is renewed that has `left` from now: `before` its end, but not before half of it.
    pub(super) fn token_ends_in(&mut self, now: Moment, left: Option<Duration>, before: Duration) {
        self.authenticate_at = left.map(|left| now + left.saturating_sub(before).max(left / 2));
    }
}
