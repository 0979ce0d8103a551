//! The routing of pushes, and the dropping of repeats.

use super::{
    Machine,
    audience::Audience,
    link::Link,
    signals::{Effect, Moment, Route, SocketId},
};
use crate::Push;

/// A client's message that may be the application's own. It is held until the replies to the requests that were
/// in flight on other sockets when it arrived show if it is.
#[derive(Debug)]
pub(super) struct HeldMessage {
    push: Push,
    /// The last request that was sent before it arrived.
    after: u64,
}

impl Machine {
    pub(super) fn pushed(&mut self, now: Moment, socket: SocketId, push: Push) {
        if push.kind() == "presence" {
            return self.presence_arrived(now, &push);
        }
        let after = self.requests;
        let oldest = self.oldest_send_elsewhere(socket);
        if push.kind() == "message" && oldest.is_some_and(|oldest| oldest <= after) {
            let held = self.held.entry(socket).or_default();
            held.push_back(HeldMessage { push, after });
        } else {
            self.deliver(now, push);
        }
    }

    /// Returns true if a message is in flight that was sent before or as this request.
    pub(super) fn has_unanswered_send(&self, request: u64) -> bool {
        let mut oldest = self.links.iter().filter_map(Link::oldest_send);
        oldest.any(|oldest| oldest <= request)
    }

    /// Returns the oldest message in flight on other sockets than this one. To the server, the two sockets of a
    /// renewal are two clients, so it delivers a message that was sent on one to the other.
    fn oldest_send_elsewhere(&self, socket: SocketId) -> Option<u64> {
        let others = self.links.iter().filter(|link| link.socket != socket);
        others.filter_map(Link::oldest_send).min()
    }

    /// Delivers the held messages whose replies have arrived. Checks the first of each socket only: later ones
    /// wait for the same replies and more.
    pub(super) fn deliver_released(&mut self, now: Moment) {
        let sockets: Vec<_> = self.held.keys().copied().collect();
        for socket in sockets {
            let oldest = self.oldest_send_elsewhere(socket);
            while let Some(push) = self.pop_released(socket, oldest) {
                self.deliver(now, push);
            }
        }
        self.held.retain(|_, held| !held.is_empty());
    }

    /// Removes and returns the first message held on a socket. `None` if it arrived after `oldest` was sent.
    fn pop_released(&mut self, socket: SocketId, oldest: Option<u64>) -> Option<Push> {
        let held = self.held.get_mut(&socket)?;
        let waits =
            oldest.is_some_and(|oldest| held.front().is_some_and(|first| oldest <= first.after));
        (!waits)
            .then(|| held.pop_front())
            .flatten()
            .map(|held| held.push)
    }

    pub(super) fn deliver_all_held(&mut self, now: Moment) {
        let answers = std::mem::take(&mut self.held_answers);
        self.apply_answers(now, answers);
        for held in std::mem::take(&mut self.held).into_values().flatten() {
            self.deliver(now, held.push);
        }
    }

    fn deliver(&mut self, now: Moment, push: Push) {
        match Audience::of(&push) {
            Some(Audience::Entity(entity)) if !self.subscriptions.wants(&entity) => {}
            Some(audience) => self.follow_push(now, audience, push),
            None => self.emit(Route::Other, push),
        }
    }

    /// Hands a push to the application, unless it is a repeat.
    pub(super) fn emit(&mut self, to: Route, push: Push) {
        let new = push
            .event_id()
            .is_none_or(|event_id| self.repeats.insert(event_id));
        if new {
            self.effects.push(Effect::Deliver { to, push });
        }
    }
}
