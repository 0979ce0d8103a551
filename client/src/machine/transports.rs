//! The choice between a WebSocket and polling.
//!
//! A network may admit no WebSocket: its handshakes fail though the server is well, or its connections are cut soon
//! after they opened. The first poll shows that HTTPS does pass.

use std::{mem, time::Duration};

use super::{
    Machine,
    link::{Link, Role, Stage},
    signals::{Effect, Moment, SocketId},
};
use crate::Transport;

/// The reason to poll instead of using a WebSocket.
#[derive(Debug, Default)]
pub(super) struct Obstacles {
    /// The handshakes in a row that failed without a status of the server.
    blocked: u32,
    /// The time at which the first attempt of that row started.
    blocked_since: Moment,
    /// The time from then to the last failure of the row.
    blocked_for: Duration,
    /// The connections in a row that ended soon after they opened, without a close frame.
    killed: u32,
    /// True if the last attempt was to poll, and failed.
    pub(super) poll_failed: bool,
}

impl Machine {
    /// Returns true if the next attempt is to poll. After one that failed, a WebSocket is tried.
    pub(super) fn polls_next(&mut self) -> bool {
        let poll_failed = mem::take(&mut self.obstacles.poll_failed);
        let is_obstructed = self.is_blocked() || self.obstacles.killed >= self.rules.obstacle_limit;
        let has_current = self.link_with(Role::Current).is_some();
        self.rules.poll && is_obstructed && !poll_failed && !has_current
    }

    /// Returns true if enough handshakes in a row failed, over a long enough time. A browser hides the 429 of a server
    /// that throttles many clients, and a throttle lasts for seconds.
    fn is_blocked(&self) -> bool {
        let Obstacles {
            blocked,
            blocked_for,
            ..
        } = self.obstacles;
        blocked >= self.rules.obstacle_limit && blocked_for >= self.rules.obstacle_after
    }

    /// Notes that a handshake failed. A status of the server itself is no obstacle of the network.
    pub(super) fn handshake_failed(&mut self, now: Moment, socket: SocketId, status: Option<u16>) {
        let is_handshake = |link: &&mut Link| {
            link.polling.is_none() && matches!(link.stage, Stage::Handshake { .. })
        };
        let Some(started_at) = self
            .link(socket)
            .filter(is_handshake)
            .map(|link| link.started_at)
        else {
            return;
        };
        let is_of_server = matches!(status, Some(401 | 403 | 429 | 500..));
        let obstacles = &mut self.obstacles;
        if obstacles.blocked == 0 {
            obstacles.blocked_since = started_at;
        }
        let blocked = obstacles.blocked.saturating_add(1);
        obstacles.blocked = if is_of_server { 0 } else { blocked };
        obstacles.blocked_for = now - obstacles.blocked_since;
    }

    /// Notes that a connection ended, with a close frame or without.
    pub(super) fn connection_ended(&mut self, now: Moment, socket: SocketId, close_frame: bool) {
        let killed_within = self.rules.killed_within;
        let Some(open) = self.link(socket).and_then(|link| link.open().copied()) else {
            return;
        };
        let was_killed = !close_frame && now - open.opened_at <= killed_within;
        let killed = self.obstacles.killed.saturating_add(1);
        self.obstacles.killed = if was_killed { killed } else { 0 };
    }

    /// Notes that a WebSocket opened. While the client polls, it counts once it is stable.
    pub(super) fn web_socket_opened(&mut self) {
        if !self.is_polling() {
            self.obstacles.blocked = 0;
        }
    }

    pub(super) fn web_socket_stable(&mut self) {
        self.obstacles.blocked = 0;
        self.obstacles.killed = 0;
    }

    /// Returns true if the current link polls.
    pub(super) fn is_polling(&self) -> bool {
        let mut links = self.links.iter();
        links.any(|link| link.role == Role::Current && link.polling.is_some())
    }

    /// Tells the application which transport the client uses, if that changed.
    pub(super) fn announce_transport(&mut self) {
        let Some(current) = self.link_with(Role::Current) else {
            return;
        };
        let transport = match current.polling {
            Some(_) => Transport::Poll,
            None => Transport::WebSocket,
        };
        if transport != self.transport {
            self.transport = transport;
            self.effects.push(Effect::Transport(transport));
        }
    }
}
