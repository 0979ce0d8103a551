//! The rules of `docs/clients.md` as a state machine: it receives inputs with their time, and returns effects.
//! It owns no socket, no clock and no random source, and the machines of both clients run the same cases.

mod audience;
mod back_off;
mod connecting;
mod continuity;
mod cursor;
mod frame;
mod link;
mod log_answer;
mod log_answers;
mod outbox;
mod polling;
mod presence;
mod presence_frame;
mod pushes;
mod repeats;
mod requests;
mod rules;
mod signals;
mod subscribing;
mod subscriptions;
mod syncing;
mod timers;
mod transports;

#[cfg(test)]
mod behaviour;
#[cfg(test)]
mod flood;
#[cfg(test)]
mod log_walk;
#[cfg(test)]
mod presence_walk;
#[cfg(test)]
mod random_walk;

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
};

use herald_shared::ids::EntityId;

pub(crate) use audience::Audience;
pub(crate) use back_off::BackOff;
pub(crate) use frame::{log_answer, presence_of};
pub(crate) use rules::{Rules, bounded};
pub(crate) use signals::{
    Effect, Input, Moment, PostPath, RequestBody, RequestNumber, Route, SocketId, Subscriber,
};

use crate::{ConnectionState, Transport};
use cursor::Cursor;
use link::{Link, RequestKind, Role};
use log_answers::HeldAnswer;
use outbox::Outbox;
use presence::EntityPresence;
use pushes::HeldMessage;
use repeats::Repeats;
use subscriptions::Subscriptions;
use transports::Obstacles;

/// The state of a client.
pub(crate) struct Machine {
    rules: Rules,
    /// Random numbers, at least 0 and less than 1.
    random: Box<dyn FnMut() -> f64 + Send>,
    state: ConnectionState,
    /// All sockets, in ascending order of their numbers.
    links: Vec<Link>,
    sockets: u64,
    requests: u64,
    reconnect_at: Option<Moment>,
    back_off: BackOff,
    /// The number of attempts since the connection was open, or since the start. Omits the very first one.
    retries: u32,
    refusals: u32,
    network_is_down: bool,
    /// The transport that was announced.
    transport: Transport,
    obstacles: Obstacles,
    subscriptions: Subscriptions,
    outbox: Outbox,
    /// The end of the outbox's pause after the server throttled a message, or did not answer one that was posted.
    /// `None` if it is not paused.
    outbox_paused_until: Option<Moment>,
    throttling: BackOff,
    repeats: Repeats,
    /// The positions in the logs of audiences. An audience without a log has none.
    cursors: BTreeMap<Audience, Cursor>,
    /// The times at which audiences with a gap are asked about.
    gap_timers: BTreeMap<Audience, Moment>,
    /// The presence of the entities for which a subscriber asks for it.
    presences: BTreeMap<EntityId, EntityPresence>,
    /// The messages held back, by the socket that they arrived on.
    held: BTreeMap<SocketId, VecDeque<HeldMessage>>,
    /// The answers of logs held back, in their order.
    held_answers: Vec<HeldAnswer>,
    /// The deadline of a clean close. `None` if the client is not closing.
    closing: Option<Moment>,
    effects: Vec<Effect>,
}

impl Machine {
    /// Makes a machine that waits for [`Input::Connect`].
    pub(crate) fn new(rules: Rules, random: impl FnMut() -> f64 + Send + 'static) -> Self {
        Self {
            repeats: Repeats::new(rules.repeat_window),
            rules,
            random: Box::new(random),
            state: ConnectionState::Connecting,
            links: Vec::new(),
            sockets: 0,
            requests: 0,
            reconnect_at: None,
            back_off: BackOff::default(),
            retries: 0,
            refusals: 0,
            network_is_down: false,
            transport: Transport::default(),
            obstacles: Obstacles::default(),
            subscriptions: Subscriptions::default(),
            outbox: Outbox::default(),
            outbox_paused_until: None,
            throttling: BackOff::default(),
            cursors: BTreeMap::new(),
            gap_timers: BTreeMap::new(),
            presences: BTreeMap::new(),
            held: BTreeMap::new(),
            held_answers: Vec::new(),
            closing: None,
            effects: Vec::new(),
        }
    }

    /// Fires the timers that are due at `now`, and then handles the input. Returns the effects in order.
    pub(crate) fn handle(&mut self, now: Moment, input: Input) -> Vec<Effect> {
        self.fire_due_timers(now);
        self.apply(now, input);
        self.settle(now);
        // The input may have set a delay of zero.
        self.fire_due_timers(now);
        mem::take(&mut self.effects)
    }

    /// Returns true once the client has stopped.
    pub(crate) fn has_stopped(&self) -> bool {
        matches!(self.state, ConnectionState::Stopped(_))
    }

    fn apply(&mut self, now: Moment, input: Input) {
        match input {
            Input::Connect => self.connect(now),
            Input::Token {
                socket,
                token,
                expires_in,
            } => self.token_supplied(now, socket, token, expires_in),
            Input::TokenFailed { socket } => self.token_failed(now, socket),
            Input::Opened { socket } => self.opened(now, socket),
            Input::Refused { socket, status } => self.refused(now, socket, status),
            Input::Failed { socket } => self.attempt_failed(now, socket),
            Input::Closed {
                socket,
                close_frame,
            } => self.closed(now, socket, close_frame),
            Input::Invalid { socket, reason } => self.invalid(now, socket, reason),
            Input::Received { socket, text } => self.received(now, socket, text),
            Input::Answered {
                socket,
                request,
                status,
                text,
            } => self.post_answered(now, socket, request, status, text),
            Input::Subscribe { subscribers } => {
                for subscriber in subscribers {
                    self.subscribe(subscriber);
                }
            }
            Input::Follow { audience } => self.follow(now, audience),
            Input::Unsubscribe { entity, presence } => self.unsubscribe(&entity, presence),
            Input::Send {
                request,
                body,
                safe_to_repeat,
                time_to_live,
            } => self.send(now, request, body, safe_to_repeat, time_to_live),
            Input::NetworkUp => self.network_up(now),
            Input::NetworkDown => self.network_down(now),
            Input::Foreground => self.foreground(now),
            Input::Close { within } => self.close(now, within),
            Input::Time => {}
        }
    }

    /// Performs the consequences of an input or a timer.
    fn settle(&mut self, now: Moment) {
        if self.has_stopped() {
            return;
        }
        self.apply_released(now);
        self.send_pending(now);
        self.hand_over_if_established(now);
        self.close_lingering(now);
        self.announce_transport();
        self.announce_open_if_established();
        self.deliver_released(now);
        self.stop_if_closed(now);
    }

    fn link(&mut self, socket: SocketId) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.socket == socket)
    }

    fn link_with(&mut self, role: Role) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.role == role)
    }

    /// Returns true if a message of the application waits in the outbox or for its reply.
    fn has_unanswered_messages(&self) -> bool {
        let in_flight = |link: &Link| {
            let mut requests = link.in_flight.values();
            requests.any(|request| matches!(request.kind, RequestKind::Send(_)))
        };
        !self.outbox.is_empty() || self.links.iter().any(in_flight)
    }

    fn jitter(&mut self) -> f64 {
        (self.random)()
    }

    fn announce(&mut self, state: ConnectionState) {
        self.state = state.clone();
        self.effects.push(Effect::State(state));
    }
}
