//! The rules of `docs/clients.md` as a state machine: it is told what happens and when, and returns
//! what to do. It owns no socket, no clock and no random source, and both clients' machines run the
//! same cases.

mod back_off;
mod connecting;
mod frame;
mod link;
mod outbox;
mod pushes;
mod repeats;
mod requests;
mod rules;
mod signals;
mod subscribing;
mod subscriptions;
mod timers;

#[cfg(test)]
mod behaviour;
#[cfg(test)]
mod flood;
#[cfg(test)]
mod random_walk;

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
};

pub(crate) use rules::Rules;
pub(crate) use signals::{Body, Effect, Input, Moment, RequestNumber, Route, SocketId};

use crate::ConnectionState;
use back_off::BackOff;
use link::{Link, Role, What};
use outbox::Outbox;
use pushes::Held;
use repeats::Repeats;
use subscriptions::Subscriptions;

/// The state of a client.
pub(crate) struct Machine {
    rules: Rules,
    /// Random numbers, at least 0 and less than 1.
    random: Box<dyn FnMut() -> f64 + Send>,
    state: ConnectionState,
    /// All sockets, in the order of their numbers.
    links: Vec<Link>,
    sockets: u64,
    requests: u64,
    reconnect_at: Option<Moment>,
    back_off: BackOff,
    /// How many attempts there were since the connection was open, or since the start, but for the
    /// very first.
    retries: u32,
    refusals: u32,
    network_is_down: bool,
    subscriptions: Subscriptions,
    outbox: Outbox,
    /// Until when the outbox rests because the server was sent too much; none: it does not.
    outbox_rests_until: Option<Moment>,
    throttling: BackOff,
    repeats: Repeats,
    /// By the socket they came on.
    held: BTreeMap<SocketId, VecDeque<Held>>,
    /// Until when the client may close cleanly; none: it does not close.
    closing: Option<Moment>,
    effects: Vec<Effect>,
}

impl Machine {
    /// A machine that waits for [`Input::Connect`].
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
            subscriptions: Subscriptions::default(),
            outbox: Outbox::default(),
            outbox_rests_until: None,
            throttling: BackOff::default(),
            held: BTreeMap::new(),
            closing: None,
            effects: Vec::new(),
        }
    }

    /// Handles whatever is due at `now`, and then the input. Returns what to do, in order.
    pub(crate) fn handle(&mut self, now: Moment, input: Input) -> Vec<Effect> {
        self.fire_what_is_due(now);
        self.take(now, input);
        self.settle(now);
        // A delay may be nothing at all.
        self.fire_what_is_due(now);
        mem::take(&mut self.effects)
    }

    /// Whether it is all over.
    pub(crate) fn has_stopped(&self) -> bool {
        matches!(self.state, ConnectionState::Stopped(_))
    }

    fn take(&mut self, now: Moment, input: Input) {
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
            Input::Failed { socket } | Input::Closed { socket } => self.ended(now, socket),
            Input::Invalid { socket, reason } => self.invalid(socket, reason),
            Input::Received { socket, text } => self.received(now, socket, text),
            Input::Subscribe { subscribers } => {
                for (request, entity) in subscribers {
                    self.subscribe(request, &entity);
                }
            }
            Input::Unsubscribe { entity } => self.unsubscribe(&entity),
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

    /// Does what follows from whatever has just happened.
    fn settle(&mut self, now: Moment) {
        if self.has_stopped() {
            return;
        }
        self.send_what_there_is_room_for(now);
        self.hand_over_if_established(now);
        self.close_what_lingered(now);
        self.announce_open_if_established();
        self.deliver_what_was_held();
        self.stop_if_closed(now);
    }

    fn link(&mut self, socket: SocketId) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.socket == socket)
    }

    fn link_with(&mut self, role: Role) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.role == role)
    }

    /// Messages of the application's that have not been answered.
    fn has_unanswered_messages(&self) -> bool {
        let under_way = |link: &Link| {
            let mut requests = link.under_way.values();
            requests.any(|request| matches!(request.what, What::Send(_)))
        };
        !self.outbox.is_empty() || self.links.iter().any(under_way)
    }

    fn jitter(&mut self) -> f64 {
        (self.random)()
    }

    fn announce(&mut self, state: ConnectionState) {
        self.state = state.clone();
        self.effects.push(Effect::State(state));
    }
}
