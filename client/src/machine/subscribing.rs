//! What the application is subscribed to, brought to every connection.

use herald_shared::{ids::EntityId, protocol::SUBSCRIBE_LIMIT, store::ENTITIES_AT_ONCE};
use serde_json::json;

use super::{
    Machine,
    back_off::BackOff,
    frame::EntityResults,
    link::{Asked, Link, Retry, Role, What},
    signals::{Body, Effect, Moment, RequestNumber, SocketId},
};
use crate::{Reply, RequestError};

/// The most bytes of a `subscribe` beside its entities.
const FRAME_WITHOUT_ENTITIES: usize = 64;

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

    /// Sends the next request about entities, if one is needed: a `subscribe` to as many as fit, or an
    /// `unsubscribe`.
    pub(super) fn settle_entities(&mut self, now: Moment, socket: SocketId) {
        let mut batch = Batch::default();
        while let Some((entity, need)) = self.next_to_settle(socket) {
            let one_by_one = self.link(socket).is_none_or(|link| link.one_by_one);
            match need {
                Need::Nothing => {}
                Need::Subscribe(back_off) if batch.has_room_for(&entity, one_by_one) => {
                    self.note_asked(socket, &entity, Asked::Subscribing);
                    batch.add(entity, back_off);
                }
                Need::Unsubscribe if batch.is_empty() => return self.give_up(now, socket, entity),
                Need::Subscribe(_) | Need::Unsubscribe => {
                    if let Some(link) = self.link(socket) {
                        link.to_settle.push_front(entity);
                    }
                    break;
                }
            }
        }
        if !batch.is_empty() {
            let body = batch.body();
            self.send_request(now, socket, &body, What::Subscribe(batch.entities));
        }
    }

    fn next_to_settle(&mut self, socket: SocketId) -> Option<(EntityId, Need)> {
        let link = self.link(socket)?;
        let entity = link.to_settle.pop_front()?;
        let asked = link.asked.get(&entity).copied();
        let need = match (self.subscriptions.wants(&entity), asked) {
            (true, None) => Need::Subscribe(BackOff::default()),
            (true, Some(Asked::Retrying(back_off))) => Need::Subscribe(back_off),
            (false, Some(Asked::Subscribed | Asked::WaitingToRetry | Asked::Retrying(_))) => {
                Need::Unsubscribe
            }
            _ => Need::Nothing,
        };
        Some((entity, need))
    }

    fn note_asked(&mut self, socket: SocketId, entity: &EntityId, asked: Asked) {
        if let Some(link) = self.link(socket) {
            link.asked.insert(entity.clone(), asked);
        }
    }

    fn give_up(&mut self, now: Moment, socket: SocketId, entity: EntityId) {
        if let Some(link) = self.link(socket) {
            link.retries.retain(|retry| retry.entity != entity);
        }
        self.note_asked(socket, &entity, Asked::Unsubscribing);
        let body = request_about("unsubscribe", &entity);
        self.send_request(now, socket, &body, What::Unsubscribe(entity));
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
            return self.ask_one_by_one(socket, entities);
        }
        let results = EntityResults::of(result, several);
        if results.have_an_unknown_connection() {
            return self.break_off(now, socket);
        }
        // One for all, so that those that failed together are asked for together.
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
        let takes_requests = self.link(socket).is_some_and(|link| link.takes_requests());
        match error {
            // Its successor has every subscription already.
            Some(_) if !takes_requests => {}
            None => {
                self.note(socket, &entity, Some(Asked::Subscribed));
                self.resolve_subscribers(&entity);
            }
            Some(error) if self.is_worth_another_try(&entity, &error) => {
                self.ask_later(now, socket, entity, delay);
            }
            Some(error) => self.subscription_failed(socket, &entity, error),
        }
    }

    /// The server does not know a `subscribe` to several, or one of the entities is not valid: whichever
    /// it is, a request for each tells.
    fn ask_one_by_one(&mut self, socket: SocketId, entities: Vec<(EntityId, BackOff)>) {
        let Some(link) = self.link(socket).filter(|link| link.takes_requests()) else {
            return;
        };
        link.one_by_one = true;
        for (entity, back_off) in entities.into_iter().rev() {
            link.asked.insert(entity.clone(), Asked::Retrying(back_off));
            link.to_settle.push_front(entity);
        }
    }

    fn is_worth_another_try(&self, entity: &EntityId, error: &RequestError) -> bool {
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

    fn ask_later(
        &mut self,
        now: Moment,
        socket: SocketId,
        entity: EntityId,
        (mut back_off, jitter): (BackOff, f64),
    ) {
        let at = now + back_off.next(&self.rules, jitter);
        self.note(socket, &entity, Some(Asked::WaitingToRetry));
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
            asked,
            to_settle,
            ..
        } = link;
        for due in retries.extract_if(.., |retry| retry.at <= now) {
            asked.insert(due.entity.clone(), Asked::Retrying(due.back_off));
            to_settle.push_back(due.entity);
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

/// The request that an entity needs.
enum Need {
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

    /// The form for one is what every server knows.
    fn body(&self) -> Body {
        if let [(entity, _)] = self.entities.as_slice() {
            return request_about("subscribe", entity);
        }
        let names = self
            .entities
            .iter()
            .map(|(entity, _)| entity.as_str().to_owned());
        let entities: serde_json::Map<_, _> = names.map(|name| (name, json!({}))).collect();
        Body::new(json!({"action": "subscribe", "entities": entities}).to_string())
    }
}

/// The bytes of `"entity":{},` in a frame.
fn bytes_of(entity: &EntityId) -> usize {
    json!(entity).to_string().len() + ":{},".len()
}

fn request_about(action: &str, entity: &EntityId) -> Body {
    let frame = json!({"action": action, "entityId": entity});
    Body::new(frame.to_string())
}
