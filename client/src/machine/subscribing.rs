//! What the application is subscribed to, brought to every connection.

use herald_shared::ids::EntityId;

use super::{
    Machine,
    back_off::BackOff,
    link::{Asked, Role, What},
    signals::{Body, Effect, Moment, RequestNumber, SocketId},
};
use crate::RequestError;

impl Machine {
    pub(super) fn subscribe(&mut self, request: RequestNumber, entity: &EntityId) {
        if self.has_stopped() || self.closing.is_some() {
            return self.reject(request, RequestError::Stopped);
        }
        self.subscriptions.add(entity, request);
        let current = self.link_with(Role::Current);
        if current.is_some_and(|link| link.asked.get(entity) == Some(&Asked::Subscribed)) {
            self.resolve_subscribers(entity);
        }
        self.look_again_at(entity);
    }

    pub(super) fn unsubscribe(&mut self, entity: &EntityId) {
        self.subscriptions.release(entity);
        self.look_again_at(entity);
    }

    /// Has every connection compare what is wanted of an entity with what was asked about it.
    fn look_again_at(&mut self, entity: &EntityId) {
        for link in &mut self.links {
            if link.takes_requests() {
                link.to_settle.push_back(entity.clone());
            }
        }
    }

    /// Asks for what is wanted of an entity, unless it is on its way.
    pub(super) fn settle_entity(&mut self, now: Moment, socket: SocketId, entity: EntityId) {
        let wanted = self.subscriptions.wants(&entity);
        let Some(link) = self.link(socket) else {
            return;
        };
        match (wanted, link.asked.get(&entity).copied()) {
            (true, None) => self.ask_for(now, socket, entity, BackOff::default()),
            (true, Some(Asked::Retrying(back_off))) => self.ask_for(now, socket, entity, back_off),
            (false, Some(Asked::Subscribed | Asked::WaitingToRetry | Asked::Retrying(_))) => {
                link.retries.retain(|(_, waiting), _| *waiting != entity);
                self.give_up(now, socket, entity);
            }
            _ => {}
        }
    }

    fn ask_for(&mut self, now: Moment, socket: SocketId, entity: EntityId, back_off: BackOff) {
        if let Some(link) = self.link(socket) {
            link.asked.insert(entity.clone(), Asked::Subscribing);
        }
        let body = request_about("subscribe", &entity);
        self.send_request(now, socket, &body, What::Subscribe(entity, back_off));
    }

    fn give_up(&mut self, now: Moment, socket: SocketId, entity: EntityId) {
        if let Some(link) = self.link(socket) {
            link.asked.insert(entity.clone(), Asked::Unsubscribing);
        }
        let body = request_about("unsubscribe", &entity);
        self.send_request(now, socket, &body, What::Unsubscribe(entity));
    }

    pub(super) fn subscribe_answered(
        &mut self,
        now: Moment,
        socket: SocketId,
        entity: EntityId,
        back_off: BackOff,
        error: Option<RequestError>,
    ) {
        let takes_requests = self.link(socket).is_some_and(|link| link.takes_requests());
        match error {
            // Its successor has every subscription already.
            Some(_) if !takes_requests => {}
            None => {
                self.note(socket, &entity, Some(Asked::Subscribed));
                self.resolve_subscribers(&entity);
            }
            Some(error) if self.is_worth_another_try(&entity, &error) => {
                self.ask_later(now, socket, entity, back_off);
            }
            Some(error) => self.subscription_failed(socket, &entity, error),
        }
    }

    fn is_worth_another_try(&self, entity: &EntityId, error: &RequestError) -> bool {
        let established = self.subscriptions.is_established(entity);
        self.subscriptions.wants(entity)
            && (error.is_throttled() || established && error.may_pass())
    }

    fn resolve_subscribers(&mut self, entity: &EntityId) {
        for request in self.subscriptions.acknowledged(entity) {
            let reply = None;
            self.effects.push(Effect::Resolve { request, reply });
        }
    }

    fn ask_later(
        &mut self,
        now: Moment,
        socket: SocketId,
        entity: EntityId,
        mut back_off: BackOff,
    ) {
        let jitter = self.jitter();
        let retry_at = now + back_off.next(&self.rules, jitter);
        self.note(socket, &entity, Some(Asked::WaitingToRetry));
        if let Some(link) = self.link(socket) {
            link.retries.insert((retry_at, entity), back_off);
        }
    }

    pub(super) fn retry_subscriptions(&mut self, now: Moment, socket: SocketId) {
        let Some(link) = self.link(socket) else {
            return;
        };
        while let Some(first) = link.retries.first_entry() {
            if first.key().0 > now {
                return;
            }
            let ((_, entity), back_off) = first.remove_entry();
            link.asked.insert(entity.clone(), Asked::Retrying(back_off));
            link.to_settle.push_back(entity);
        }
    }

    /// Nobody is subscribed to the entity any more, and everybody is told.
    fn subscription_failed(&mut self, socket: SocketId, entity: &EntityId, error: RequestError) {
        // Without a refusal of the server's own, the subscription may have been stored.
        let stored = !matches!(error, RequestError::Server(_));
        self.note(socket, entity, stored.then_some(Asked::Subscribed));
        let established = self.subscriptions.is_established(entity);
        for request in self.subscriptions.remove(entity) {
            self.reject(request, error.clone());
        }
        if established {
            let entity = entity.clone();
            self.effects.push(Effect::Ended { entity, error });
        }
        self.look_again_at(entity);
    }

    pub(super) fn unsubscribe_answered(&mut self, socket: SocketId, entity: EntityId) {
        self.note(socket, &entity, None);
    }

    /// Notes how an entity stands on a socket, and has it looked at again.
    fn note(&mut self, socket: SocketId, entity: &EntityId, asked: Option<Asked>) {
        let wanted = self.subscriptions.wants(entity);
        let Some(link) = self.link(socket) else {
            return;
        };
        match asked {
            Some(asked) => link.asked.insert(entity.clone(), asked),
            None => link.asked.remove(entity),
        };
        let fits =
            wanted == (asked == Some(Asked::Subscribed)) || asked == Some(Asked::WaitingToRetry);
        if !fits && link.takes_requests() {
            link.to_settle.push_back(entity.clone());
        }
    }
}

fn request_about(action: &str, entity: &EntityId) -> Body {
    let frame = serde_json::json!({"action": action, "entityId": entity});
    Body::new(frame.to_string())
}
