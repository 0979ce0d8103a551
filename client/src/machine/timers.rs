//! The timers of the machine.

use super::{
    Machine,
    link::{Link, Open, Role, Stage},
    signals::{Effect, Moment, SocketId},
};

/// An event that is due at a time.
#[derive(Clone, Copy, Debug)]
enum Timer {
    CloseDeadline,
    Expiry,
    OutboxResumes,
    Reconnect,
    AttemptTimeout(SocketId),
    Stable(SocketId),
    Ping(SocketId),
    PongTimeout(SocketId),
    Poll(SocketId),
    Authenticate(SocketId),
    Renew,
    StopLingering,
    ReplyTimeout(SocketId),
    RetrySubscriptions(SocketId),
    Gap,
    Presence,
}

impl Machine {
    /// Returns the time at which the machine needs [`Input::Time`](super::Input::Time), unless another input
    /// comes first.
    pub(crate) fn wake(&self) -> Option<Moment> {
        self.next_timer().map(|(at, _)| at)
    }

    pub(super) fn fire_due_timers(&mut self, now: Moment) {
        while let Some((at, timer)) = self.next_timer() {
            if at > now {
                return;
            }
            self.fire(now, timer);
            self.settle(now);
        }
    }

    fn next_timer(&self) -> Option<(Moment, Timer)> {
        if self.has_stopped() {
            return None;
        }
        let own = [
            self.closing.map(|at| (at, Timer::CloseDeadline)),
            self.outbox.next_expiry().map(|at| (at, Timer::Expiry)),
            self.outbox_paused_until
                .map(|at| (at, Timer::OutboxResumes)),
            self.reconnect_at.map(|at| (at, Timer::Reconnect)),
            self.gap_timers.values().min().map(|at| (*at, Timer::Gap)),
            self.next_presence_request().map(|at| (at, Timer::Presence)),
        ];
        let of_links = self.links.iter().flat_map(|link| self.timers_of(link));
        let all = own.into_iter().flatten().chain(of_links);
        all.min_by_key(|(at, _)| *at)
    }

    fn timers_of(&self, link: &Link) -> impl Iterator<Item = (Moment, Timer)> {
        let socket = link.socket;
        let current = link.role == Role::Current;
        let open = link.open();
        let renewable = current
            && self.closing.is_none()
            && self.links.iter().all(|link| link.role != Role::Next);
        let lingers = link.lingers();
        let polling = link.polling.as_ref().filter(|_| current);
        let ping = |open: &Open| {
            let silent = current.then_some(open.received_at + self.rules.ping_after);
            let demanded = link.keep_alive().map(|after| open.pinged_at + after);
            let unanswered_since = open.unanswered_since;
            let unanswered = unanswered_since.map(|since| since + self.rules.unanswered_after);
            let ping = [silent, demanded, unanswered].into_iter().flatten().min();
            match open.pong_by {
                Some(by) => Some((by, Timer::PongTimeout(socket))),
                None => ping.map(|at| (at, Timer::Ping(socket))),
            }
        };
        [
            match link.stage {
                Stage::Token { times_out_at } | Stage::Handshake { times_out_at } => {
                    Some((times_out_at, Timer::AttemptTimeout(socket)))
                }
                Stage::Open(_) => None,
            },
            open.and_then(|open| open.stable_at)
                .map(|at| (at, Timer::Stable(socket))),
            open.filter(|_| !lingers && link.polling.is_none())
                .and_then(ping),
            polling
                .and_then(|polling| polling.poll_at)
                .map(|at| (at, Timer::Poll(socket))),
            link.authenticate_at
                .filter(|_| current)
                .map(|at| (at, Timer::Authenticate(socket))),
            open.filter(|_| renewable)
                .map(|open| (open.renew_at, Timer::Renew)),
            match link.role {
                Role::Lingering { until } if link.in_flight.is_empty() => {
                    Some((until, Timer::StopLingering))
                }
                _ => None,
            },
            link.in_flight
                .values()
                .next()
                .map(|oldest| (oldest.times_out_at, Timer::ReplyTimeout(socket))),
            link.retries
                .iter()
                .map(|retry| (retry.at, Timer::RetrySubscriptions(socket)))
                .min_by_key(|(at, _)| *at),
        ]
        .into_iter()
        .flatten()
    }

    fn fire(&mut self, now: Moment, timer: Timer) {
        match timer {
            Timer::Expiry => self.expire(now),
            Timer::OutboxResumes => self.outbox_paused_until = None,
            Timer::Reconnect => self.retry(now),
            Timer::AttemptTimeout(socket) => self.attempt_timed_out(now, socket),
            Timer::PongTimeout(socket) => self.disconnect(now, socket),
            Timer::Stable(socket) => self.stable(socket),
            Timer::Poll(socket) => self.poll(now, socket),
            Timer::Ping(socket) => self.ping(now, socket),
            Timer::Authenticate(socket) => self.ask_to_authenticate(now, socket),
            Timer::Renew => self.renew(now),
            Timer::ReplyTimeout(socket) => self.time_out_requests(now, socket),
            Timer::Gap => self.sync_due(now),
            Timer::Presence => self.ask_for_presence(now),
            Timer::RetrySubscriptions(socket) => self.retry_subscriptions(now, socket),
            // `settle` checks these times itself.
            Timer::CloseDeadline | Timer::StopLingering => {}
        }
    }

    fn stable(&mut self, socket: SocketId) {
        self.back_off.reset();
        let Some(link) = self.link(socket) else {
            return;
        };
        if let Some(open) = link.open_mut() {
            open.stable_at = None;
        }
        if link.polling.is_none() {
            self.web_socket_stable();
        }
    }

    fn ask_to_authenticate(&mut self, now: Moment, socket: SocketId) {
        let times_out_at = now + self.rules.connect_timeout;
        if let Some(link) = self.link(socket) {
            // A callback that does not answer in time is asked again.
            link.authenticate_at = Some(times_out_at);
            self.effects.push(Effect::AskToken { socket });
        }
    }
}
