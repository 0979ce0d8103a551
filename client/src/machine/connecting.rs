//! The life of the connection: attempts, breaks, renewal and the end.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Machine,
    back_off::share,
    link::{InFlight, Link, Open, RequestKind, Role, Stage},
    polling::Polling,
    signals::{Effect, Moment, RequestBody, SocketId},
};
use crate::{ConnectionState, RequestError, StopReason};

impl Machine {
    pub(super) fn connect(&mut self, now: Moment) {
        self.announce(ConnectionState::Connecting);
        self.start_attempt(now);
    }

    /// Starts another attempt after a failed one, or after the connection broke.
    pub(super) fn retry(&mut self, now: Moment) {
        self.reconnect_at = None;
        self.retries += 1;
        self.start_attempt(now);
    }

    /// Starts an attempt with the next socket.
    pub(super) fn start_attempt(&mut self, now: Moment) {
        self.sockets += 1;
        let socket = SocketId(self.sockets);
        let times_out_at = now + self.rules.connect_timeout;
        let polling = self.polls_next().then(Polling::default);
        let stage = Stage::Token { times_out_at };
        self.links.push(Link::new(socket, now, stage, polling));
        match self.rules.token {
            true => self.effects.push(Effect::AskToken { socket }),
            false => self.open(now, socket, None),
        }
    }

    /// Begins the handshake of a socket, or of a link that polls.
    fn open(&mut self, now: Moment, socket: SocketId, token: Option<String>) {
        let Some(link) = self.link(socket) else {
            return;
        };
        if let Stage::Token { times_out_at } = link.stage {
            link.stage = Stage::Handshake { times_out_at };
        }
        match link.polling {
            Some(_) => self.open_by_poll(now, socket, token),
            None => self.effects.push(Effect::OpenSocket { socket, token }),
        }
    }

    /// Abandons an attempt that takes too long.
    pub(super) fn attempt_timed_out(&mut self, now: Moment, socket: SocketId) {
        self.handshake_failed(now, socket, None);
        self.disconnect(now, socket);
    }

    /// Handles an attempt whose server could not be reached.
    pub(super) fn attempt_failed(&mut self, now: Moment, socket: SocketId) {
        self.handshake_failed(now, socket, None);
        self.socket_ended(now, socket);
    }

    /// Handles the end of an open socket.
    pub(super) fn closed(&mut self, now: Moment, socket: SocketId, close_frame: bool) {
        self.connection_ended(now, socket, close_frame);
        self.socket_ended(now, socket);
    }

    pub(super) fn token_supplied(
        &mut self,
        now: Moment,
        socket: SocketId,
        token: String,
        expires_in: Option<Duration>,
    ) {
        let before = self.rules.renew_token_before;
        let Some(link) = self.link(socket) else {
            return;
        };
        link.token_ends_in(now, expires_in, before);
        let polls = link.polling.is_some();
        match link.stage {
            Stage::Token { .. } => self.open(now, socket, Some(token)),
            Stage::Open(_) if polls => {
                link.authentication.reset();
                self.set_poll_token(socket, Some(token));
            }
            Stage::Open(_) => self.authenticate(now, socket, &token),
            Stage::Handshake { .. } => {}
        }
    }

    fn authenticate(&mut self, now: Moment, socket: SocketId, token: &str) {
        let frame = serde_json::json!({"action": "authenticate", "token": token});
        self.send_request(
            now,
            socket,
            &RequestBody::new(frame.to_string()),
            RequestKind::Authenticate,
        );
    }

    pub(super) fn token_failed(&mut self, now: Moment, socket: SocketId) {
        match self.link(socket).map(|link| link.stage) {
            Some(Stage::Open(_)) => self.authenticate_later(now, socket),
            Some(_) => self.socket_ended(now, socket),
            None => {}
        }
    }

    pub(super) fn opened(&mut self, now: Moment, socket: SocketId) {
        let polls = self.polls(socket);
        let open = Open {
            opened_at: now,
            stable_at: Some(now + self.rules.stable_after),
            renew_at: now + self.renewal_delay(polls),
            received_at: now,
            pinged_at: now,
            unanswered_since: None,
            pong_by: None,
        };
        let wanted = self.subscriptions.in_order();
        let has_current = self.link_with(Role::Current).is_some();
        let Some(link) = self.link(socket) else {
            return;
        };
        link.stage = Stage::Open(open);
        link.to_check = wanted.into();
        if !has_current {
            link.role = Role::Current;
        }
        self.refusals = 0;
        self.network_is_down = false;
        if !polls {
            self.web_socket_opened();
        }
        self.sync_without_subscription(now, socket);
    }

    /// Returns the time after which another link replaces one: a younger one, or a WebSocket if it polls.
    fn renewal_delay(&mut self, polls: bool) -> Duration {
        let after = match polls {
            true => self.rules.web_socket_retry,
            false => self.rules.renew_after,
        };
        share(after, 1.0 - 0.1 * self.jitter())
    }

    /// Counts a refused handshake or poll, and stops at the limit.
    pub(super) fn refused(&mut self, now: Moment, socket: SocketId, status: Option<u16>) {
        let Some(link) = self.link(socket) else {
            return;
        };
        let (is_next, lingers) = (link.role == Role::Next, link.lingers());
        self.handshake_failed(now, socket, status);
        // While the client polls, the polls tell if the token is refused, and a proxy may refuse every WebSocket.
        let is_beside_polls = is_next && self.is_polling();
        if !is_beside_polls && !lingers && self.counts_as_refusal(status) {
            self.refusals += 1;
        }
        if self.refusals >= self.rules.refusal_limit {
            for link in self
                .links
                .extract_if(.., |link| link.socket == socket)
                .collect::<Vec<_>>()
            {
                self.end_requests(now, link.in_flight);
            }
            self.stop(now, StopReason::Refused { status });
        } else {
            self.socket_ended(now, socket);
        }
    }

    /// Returns true if a refusal is about the token. One without a status may be transient; a poll would have one.
    fn counts_as_refusal(&self, status: Option<u16>) -> bool {
        status.map_or(!self.rules.poll, |status| matches!(status, 401 | 403))
    }

    /// Stops, because no attempt can succeed.
    pub(super) fn invalid(&mut self, now: Moment, socket: SocketId, reason: String) {
        if self.link(socket).is_some() {
            self.links.retain(|link| link.socket != socket);
            self.stop(now, StopReason::Invalid { reason });
        }
    }

    /// Closes a socket and treats it as broken.
    pub(super) fn disconnect(&mut self, now: Moment, socket: SocketId) {
        self.effects.push(Effect::CloseSocket { socket });
        self.socket_ended(now, socket);
    }

    /// Removes a socket that broke, or that never opened.
    pub(super) fn socket_ended(&mut self, now: Moment, socket: SocketId) {
        let Some(index) = self.links.iter().position(|link| link.socket == socket) else {
            return;
        };
        let link = self.links.remove(index);
        self.obstacles.poll_failed |= link.polling.is_some() && link.open().is_none();
        self.end_requests(now, link.in_flight);
        match link.role {
            Role::Lingering { .. } => {}
            Role::Current => self.lost_current(now),
            Role::Next => self.lost_next(now),
        }
        self.presence_link_ended(now);
    }

    fn lost_current(&mut self, now: Moment) {
        let Some(next) = self.link_with(Role::Next) else {
            return self.reconnect_later(now);
        };
        if next.open().is_some() {
            next.role = Role::Current;
        }
        self.retries = 1;
        let (attempt, delay) = (1, Some(Duration::ZERO));
        self.announce(ConnectionState::Reconnecting { attempt, delay });
    }

    fn lost_next(&mut self, now: Moment) {
        if self.link_with(Role::Current).is_none() {
            return self.reconnect_later(now);
        }
        let mut delay = self.delay();
        if self.is_polling() {
            delay = self.renewal_delay(true);
        }
        if let Some(open) = self.link_with(Role::Current).and_then(Link::open_mut) {
            open.renew_at = now + delay;
        }
    }

    fn reconnect_later(&mut self, now: Moment) {
        if self.closing.is_some() && !self.has_unanswered_messages() {
            return;
        }
        let delay = (!self.network_is_down).then(|| self.delay());
        self.reconnect_at = Some(now + delay.unwrap_or_else(|| self.offline_delay()));
        let attempt = self.retries + 1;
        self.announce(ConnectionState::Reconnecting { attempt, delay });
    }

    /// Returns the delay before a retry while the application's hint says that the network is down. The hint
    /// may be wrong, so the delay is finite.
    fn offline_delay(&mut self) -> Duration {
        share(self.rules.offline_retry, 1.0 - 0.5 * self.jitter())
    }

    fn delay(&mut self) -> Duration {
        let jitter = self.jitter();
        self.back_off.next(&self.rules, jitter)
    }

    /// Makes the next socket the current one once every subscription is established on it, and, if the client polls,
    /// once it is stable.
    pub(super) fn hand_over_if_established(&mut self, now: Moment) {
        let until = now + self.rules.linger_for;
        let polls = self.is_polling();
        let ready = |link: &Link| {
            let is_established = link.role == Role::Next && link.is_established();
            is_established && (!polls || link.is_stable())
        };
        if !self.links.iter().any(ready) {
            return;
        }
        for link in &mut self.links {
            match link.role {
                Role::Current => {
                    link.role = Role::Lingering { until };
                    link.to_check.clear();
                    link.retries.clear();
                }
                Role::Next => link.role = Role::Current,
                Role::Lingering { .. } => {}
            }
        }
        self.send_pending(now);
    }

    pub(super) fn close_lingering(&mut self, now: Moment) {
        let done = |link: &Link| {
            matches!(link.role, Role::Lingering { until } if until <= now)
                && link.in_flight.is_empty()
        };
        for link in self.links.extract_if(.., |link| done(link)) {
            let socket = link.socket;
            self.effects.push(Effect::CloseSocket { socket });
        }
    }

    pub(super) fn announce_open_if_established(&mut self) {
        let established = self
            .link_with(Role::Current)
            .is_some_and(|link| link.is_established());
        if established && self.state != ConnectionState::Open {
            self.retries = 0;
            self.announce(ConnectionState::Open);
        }
    }

    pub(super) fn authenticate_later(&mut self, now: Moment, socket: SocketId) {
        let jitter = self.jitter();
        let rules = self.rules.clone();
        if let Some(link) = self.link(socket) {
            link.authenticate_at = Some(now + link.authentication.next(&rules, jitter));
        }
    }

    /// Starts the next connection, unless an attempt is in progress.
    pub(super) fn renew(&mut self, now: Moment) {
        if self.closing.is_none() && self.link_with(Role::Next).is_none() {
            self.start_attempt(now);
        }
    }

    pub(super) fn network_up(&mut self, now: Moment) {
        self.network_is_down = false;
        self.foreground(now);
    }

    pub(super) fn foreground(&mut self, now: Moment) {
        if self.has_stopped() {
            return;
        }
        if let Some(current) = self.link_with(Role::Current) {
            let socket = current.socket;
            match current.polling {
                Some(_) => self.poll(now, socket),
                None => self.ping(now, socket),
            }
        } else if self.link_with(Role::Next).is_none() {
            self.retry(now);
        }
    }

    pub(super) fn network_down(&mut self, now: Moment) {
        if self.has_stopped() || self.network_is_down {
            return;
        }
        self.network_is_down = true;
        let in_flight = self.close_all_sockets();
        self.end_requests(now, in_flight);
        self.presence_link_ended(now);
        self.reconnect_later(now);
    }

    /// Sends a ping, unless an earlier one has no answer yet. Once the client has a position, a `sync` takes its
    /// place.
    pub(super) fn ping(&mut self, now: Moment, socket: SocketId) {
        let pong_by = now + self.rules.pong_timeout;
        let Some(open) = self.link(socket).and_then(Link::open_mut) else {
            return;
        };
        if open.pong_by.is_some() {
            return;
        }
        open.pong_by = Some(pong_by);
        open.pinged_at = now;
        if !self.sync_all(now, socket) {
            let text = r#"{"action":"ping"}"#.to_owned();
            self.effects.push(Effect::Send { socket, text });
        }
    }

    pub(super) fn close(&mut self, now: Moment, within: Duration) {
        self.closing.get_or_insert(now + within);
    }

    pub(super) fn stop_if_closed(&mut self, now: Moment) {
        let Some(deadline) = self.closing else {
            return;
        };
        if deadline <= now || !self.has_unanswered_messages() {
            self.stop(now, StopReason::Closed);
        }
    }

    /// Ends the client.
    pub(super) fn stop(&mut self, now: Moment, reason: StopReason) {
        self.deliver_all_held(now);
        for (_, request) in self.close_all_sockets() {
            if let RequestKind::Send(message) = request.kind {
                self.reject(message.request, RequestError::OutcomeUnknown);
            }
        }
        while let Some(message) = self.outbox.pop() {
            self.reject(message.request, RequestError::Stopped);
        }
        for entity in self.subscriptions.in_order() {
            for request in self.subscriptions.remove(&entity) {
                self.reject(request, RequestError::Stopped);
            }
        }
        self.reconnect_at = None;
        self.announce(ConnectionState::Stopped(reason));
    }

    /// Closes every socket. Returns the requests that were in flight.
    fn close_all_sockets(&mut self) -> BTreeMap<u64, InFlight> {
        let mut in_flight = BTreeMap::new();
        for link in std::mem::take(&mut self.links) {
            let socket = link.socket;
            self.effects.push(Effect::CloseSocket { socket });
            in_flight.extend(link.in_flight);
        }
        in_flight
    }

    pub(super) fn reject(&mut self, request: super::RequestNumber, error: RequestError) {
        self.effects.push(Effect::Reject { request, error });
    }
}
