//! The requests that establish the application's subscriptions on every connection.

use herald_shared::{ids::EntityId, protocol::SUBSCRIBE_LIMIT, store::ENTITIES_AT_ONCE};
use serde_json::json;

use super::{
    Machine,
    back_off::BackOff,
    frame::EntityResults,
    link::{EntityState, Link, RequestKind, Retry, Role},
    signals::{Effect, Moment, RequestBody, RequestNumber, SocketId},
};
use crate::{Reply, RequestError};

/// The most bytes of a `subscribe` without its entities.
const FRAME_WITHOUT_ENTITIES: usize = 64;

impl Machine {
    pub(super) fn subscribe(&mut self, request: RequestNumber, entity: &EntityId) {
        if self.has_stopped() || self.closing.is_some() {
            return self.reject(request, RequestError::Stopped);
        }
        self.subscriptions.add(entity, request);
        let current = self.link_with(Role::Current);
        if current.is_some_and(|link| link.entities.get(entity) == Some(&EntityState::Subscribed)) {
            self.resolve_subscribers(entity);
        }
        self.recheck(entity);
    }

    pub(super) fn unsubscribe(&mut self, entity: &EntityId) {
        self.subscriptions.release(entity);
        self.recheck(entity);
    }

    /// Marks an entity whose state may not be the wanted one, on every connection.
    fn recheck(&mut self, entity: &EntityId) {
        for link in &mut self.links {
            if link.accepts_requests() {
                link.to_check.push_back(entity.clone());
            }
        }
    }

    /// Sends the next request about entities, if one is needed: a `subscribe` to as many as fit in a frame, or
    /// an `unsubscribe`.
    pub(super) fn send_entity_request(&mut self, now: Moment, socket: SocketId) {
        let mut batch = Batch::default();
        while let Some((entity, change)) = self.next_change(socket) {
            let one_by_one = self.link(socket).is_none_or(|link| link.one_by_one);
            match change {
                Change::Nothing => {}
                Change::Subscribe(back_off) if batch.has_room_for(&entity, one_by_one) => {
                    self.set_state(socket, &entity, EntityState::Subscribing);
                    batch.add(entity, back_off);
                }
                Change::Unsubscribe if batch.is_empty() => {
                    return self.send_unsubscribe(now, socket, entity);
                }
                Change::Subscribe(_) | Change::Unsubscribe => {
                    if let Some(link) = self.link(socket) {
                        link.to_check.push_front(entity);
                    }
                    break;
                }
            }
        }
        if !batch.is_empty() {
            let body = batch.body();
            self.send_request(now, socket, &body, RequestKind::Subscribe(batch.entities));
        }
    }

    fn next_change(&mut self, socket: SocketId) -> Option<(EntityId, Change)> {
        let link = self.link(socket)?;
        let entity = link.to_check.pop_front()?;
        let state = link.entities.get(&entity).copied();
        let change = match (self.subscriptions.wants(&entity), state) {
            (true, None) => Change::Subscribe(BackOff::default()),
            (true, Some(EntityState::RetryDue(back_off))) => Change::Subscribe(back_off),
            (
                false,
                Some(
                    EntityState::Subscribed
                    | EntityState::WaitingToRetry
                    | EntityState::RetryDue(_),
                ),
            ) => Change::Unsubscribe,
            _ => Change::Nothing,
        };
        Some((entity, change))
    }

    fn set_state(&mut self, socket: SocketId, entity: &EntityId, state: EntityState) {
        if let Some(link) = self.link(socket) {
            link.entities.insert(entity.clone(), state);
        }
    }

    fn send_unsubscribe(&mut self, now: Moment, socket: SocketId, entity: EntityId) {
        if let Some(link) = self.link(socket) {
            link.retries.retain(|retry| retry.entity != entity);
        }
        self.set_state(socket, &entity, EntityState::Unsubscribing);
        let body = request_about("unsubscribe", &entity);
        self.send_request(now, socket, &body, RequestKind::Unsubscribe(entity));
    }

    pub(super) fn subscribe_answered(
        &mut self,
        now: Moment,
        socket: SocketId,
        entities: Vec<(EntityId, BackOff)>,
        result: &Result<Reply, RequestError>,
    ) {
        let several = entities.len() > 1;
        if several && result.as_ref().is_err_and(RequestError::is_bad_request) {
            return self.subscribe_one_by_one(socket, entities);
        }
        let results = EntityResults::of(result, several);
        if results.have_unknown_connection() {
            return self.disconnect(now, socket);
        }
        // One value for all, so that entities that failed together are retried together.
        let jitter = self.jitter();
        for (entity, back_off) in entities {
            let error = results.error_of(&entity);
            self.entity_answered(now, socket, entity, (back_off, jitter), error);
        }
    }

    fn entity_answered(
        &mut self,
        now: Moment,
        socket: SocketId,
        entity: EntityId,
        delay: (BackOff, f64),
        error: Option<RequestError>,
    ) {
        let accepts_requests = self
            .link(socket)
            .is_some_and(|link| link.accepts_requests());
        match error {
            // The current socket has every subscription already.
            Some(_) if !accepts_requests => {}
            None => {
                self.update_state(socket, &entity, Some(EntityState::Subscribed));
                self.resolve_subscribers(&entity);
            }
            Some(error) if self.should_retry(&entity, &error) => {
                self.retry_later(now, socket, entity, delay);
            }
            Some(error) => self.subscription_failed(socket, &entity, error),
        }
    }

    /// Subscribes to each entity alone, because the server does not support a `subscribe` to several, or one of
    /// the entities is invalid.
    fn subscribe_one_by_one(&mut self, socket: SocketId, entities: Vec<(EntityId, BackOff)>) {
        let Some(link) = self.link(socket).filter(|link| link.accepts_requests()) else {
            return;
        };
        link.one_by_one = true;
        for (entity, back_off) in entities.into_iter().rev() {
            link.entities
                .insert(entity.clone(), EntityState::RetryDue(back_off));
            link.to_check.push_front(entity);
        }
    }

    fn should_retry(&self, entity: &EntityId, error: &RequestError) -> bool {
        let established = self.subscriptions.is_established(entity);
        self.subscriptions.wants(entity)
            && (error.is_throttled() || established && error.is_retryable())
    }

    fn resolve_subscribers(&mut self, entity: &EntityId) {
        for request in self.subscriptions.acknowledged(entity) {
            let reply = None;
            self.effects.push(Effect::Resolve { request, reply });
        }
    }

    fn retry_later(
        &mut self,
        now: Moment,
        socket: SocketId,
        entity: EntityId,
        (mut back_off, jitter): (BackOff, f64),
    ) {
        let at = now + back_off.next(&self.rules, jitter);
        self.update_state(socket, &entity, Some(EntityState::WaitingToRetry));
        if let Some(link) = self.link(socket) {
            link.retries.push(Retry {
                at,
                entity,
                back_off,
            });
        }
    }

    pub(super) fn retry_subscriptions(&mut self, now: Moment, socket: SocketId) {
        let Some(link) = self.link(socket) else {
            return;
        };
        let Link {
            retries,
            entities,
            to_check,
            ..
        } = link;
        for due in retries.extract_if(.., |retry| retry.at <= now) {
            entities.insert(due.entity.clone(), EntityState::RetryDue(due.back_off));
            to_check.push_back(due.entity);
        }
    }

    /// Ends the subscription to an entity, and tells its subscribers.
    fn subscription_failed(&mut self, socket: SocketId, entity: &EntityId, error: RequestError) {
        // After any error but a refusal by Herald, the server may have stored the subscription.
        let stored = !matches!(error, RequestError::Server(_));
        self.update_state(socket, entity, stored.then_some(EntityState::Subscribed));
        let established = self.subscriptions.is_established(entity);
        for request in self.subscriptions.remove(entity) {
            self.reject(request, error.clone());
        }
        if established {
            let entity = entity.clone();
            self.effects.push(Effect::Ended { entity, error });
        }
        self.recheck(entity);
    }

    pub(super) fn unsubscribe_answered(&mut self, socket: SocketId, entity: EntityId) {
        self.update_state(socket, &entity, None);
    }

    /// Sets the state of an entity on a socket, or removes it, and marks the entity if another request is needed.
    fn update_state(&mut self, socket: SocketId, entity: &EntityId, state: Option<EntityState>) {
        let wanted = self.subscriptions.wants(entity);
        let Some(link) = self.link(socket) else {
            return;
        };
        match state {
            Some(state) => link.entities.insert(entity.clone(), state),
            None => link.entities.remove(entity),
        };
        let fits = wanted == (state == Some(EntityState::Subscribed))
            || state == Some(EntityState::WaitingToRetry);
        if !fits && link.accepts_requests() {
            link.to_check.push_back(entity.clone());
        }
    }
}

/// The change that brings an entity to its wanted state.
enum Change {
    Nothing,
    Subscribe(BackOff),
    Unsubscribe,
}

/// The entities of one `subscribe`.
#[derive(Default)]
struct Batch {
    entities: Vec<(EntityId, BackOff)>,
    bytes: usize,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }

    fn has_room_for(&self, entity: &EntityId, one_by_one: bool) -> bool {
        let bytes = FRAME_WITHOUT_ENTITIES + self.bytes + bytes_of(entity);
        let fits = self.entities.len() < ENTITIES_AT_ONCE && bytes <= SUBSCRIBE_LIMIT;
        self.is_empty() || fits && !one_by_one
    }

    fn add(&mut self, entity: EntityId, back_off: BackOff) {
        self.bytes += bytes_of(&entity);
        self.entities.push((entity, back_off));
    }

    /// Returns the request. Every server supports the form for one entity.
    fn body(&self) -> RequestBody {
        if let [(entity, _)] = self.entities.as_slice() {
            return request_about("subscribe", entity);
        }
        let names = self
            .entities
            .iter()
            .map(|(entity, _)| entity.as_str().to_owned());
        let entities: serde_json::Map<_, _> = names.map(|name| (name, json!({}))).collect();
        RequestBody::new(json!({"action": "subscribe", "entities": entities}).to_string())
    }
}

/// The bytes of `"entity":{},` in a frame.
fn bytes_of(entity: &EntityId) -> usize {
    json!(entity).to_string().len() + ":{},".len()
}

fn request_about(action: &str, entity: &EntityId) -> RequestBody {
    let frame = json!({"action": action, "entityId": entity});
    RequestBody::new(frame.to_string())
}
