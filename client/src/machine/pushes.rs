//! What arrives unasked: to whom it goes, and what is dropped.

use super::{
    Machine,
    signals::{Effect, Route, SocketId},
};
use crate::Push;

/// A client's message that may be the application's own, until the replies to what was under way
/// on other sockets when it came say whether it is.
#[derive(Debug)]
pub(super) struct Held {
    push: Push,
    socket: SocketId,
    /// The last request that was sent before it came.
    after: u64,
}

impl Machine {
    pub(super) fn pushed(&mut self, socket: SocketId, push: Push) {
        let held = Held {
            push,
            socket,
            after: self.requests,
        };
        if self.may_be_our_own(&held) {
            self.held.push(held);
        } else {
            self.deliver(held.push);
        }
    }

    /// To the server, the two sockets of a renewal are two clients, so what is sent on one comes back on
    /// the other.
    fn may_be_our_own(&self, held: &Held) -> bool {
        let mut others = self.links.iter().filter(|link| link.socket != held.socket);
        held.push.kind() == "message" && others.any(|link| link.sends_up_to(held.after))
    }

    pub(super) fn deliver_what_was_held(&mut self) {
        for held in std::mem::take(&mut self.held) {
            if self.may_be_our_own(&held) {
                self.held.push(held);
            } else {
                self.deliver(held.push);
            }
        }
    }

    pub(super) fn deliver_all_held(&mut self) {
        for held in std::mem::take(&mut self.held) {
            self.deliver(held.push);
        }
    }

    fn deliver(&mut self, push: Push) {
        let to = match (push.entity_id(), push.kind()) {
            (Some(entity), _) if self.subscriptions.wants(entity) => Route::Entity(entity.clone()),
            (Some(_), _) => return,
            (None, "User Push Notification") => Route::Notifications,
            (None, "Broadcast" | "message") => Route::Broadcasts,
            (None, _) => Route::Other,
        };
        let new = push
            .event_id()
            .is_none_or(|event_id| self.repeats.is_new(event_id));
        if new {
            self.effects.push(Effect::Deliver { to, push });
        }
    }
}
