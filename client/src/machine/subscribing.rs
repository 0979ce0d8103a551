//! The requests that establish the application's subscriptions on every connection.

use herald_shared::{
    ids::EntityId,
    protocol::{SUBSCRIBE_LIMIT, StartRequest},
    store::ENTITIES_AT_ONCE,
};
use serde_json::{Map, Value, json};

use super::{
    Machine,
    audience::Audience,
    back_off::BackOff,
    frame::{EntityResults, LogResult, keep_alive},
    link::{Acknowledged, EntityState, EntitySubscribe, Link, RequestKind, Retry, Role},
    log_answer::LogAnswer,
    log_answers::Source,
    polling::{subscribe_body, subscribe_results},
    signals::{Effect, Moment, RequestBody, SocketId, Subscriber},
};
use crate::{Reply, RequestError};

/// The most bytes of a `subscribe` without its entities.
const FRAME_WITHOUT_ENTITIES: usize = 64;

impl Machine {
    pub(super) fn subscribe(&mut self, subscriber: Subscriber) {
        let Subscriber {
            request,
            entity,
            start,
            presence,
        } = subscriber;
        let entity = &entity;
        if self.has_stopped() || self.closing.is_some() {
            return self.reject(request, RequestError::Stopped);
        }
        if !self.subscriptions.wants(entity) {
            self.begin_session(entity, start);
        }
        self.subscriptions.add(entity, request, presence);
        if presence {
            self.join_presence(entity);
        }
        let current = self.link_with(Role::Current);
        let current = current.filter(|link| link.acknowledged(entity).is_some());
        if let Some(socket) = current.map(|link| link.socket) {
            self.resolve_subscribers(socket, entity);
        }
        self.recheck(entity);
    }

    /// Begins the session of an entity's first subscriber. If the last session has not unsubscribed yet, its
    /// subscription serves this one too, unless there is a log, which must tell where this session starts.
    fn begin_session(&mut self, entity: &EntityId, start: StartRequest) {
        let is_live = start == StartRequest::Live;
        self.begin_at(entity, start);
        let links = self.links.iter_mut();
        for link in links.filter(|link| link.accepts_requests()) {
            let acknowledged = link.acknowledged(entity);
            if acknowledged.is_some_and(|acknowledged| acknowledged.has_log || !is_live) {
                let due = EntityState::RetryDue(BackOff::default());
                link.entities.insert(entity.clone(), due);
            }
        }
    }

    pub(super) fn unsubscribe(&mut self, entity: &EntityId, presence: bool) {
        self.subscriptions.release(entity);
        if presence {
            self.leave_presence(entity);
        }
        if !self.subscriptions.wants(entity) {
            self.forget(entity);
        }
        self.recheck(entity);
    }

    /// Marks an entity whose state may not be the wanted one, on every connection.
    pub(super) fn recheck(&mut self, entity: &EntityId) {
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
                Change::Subscribe(subscribe) if batch.has_room_for(&subscribe, one_by_one) => {
                    self.set_state(socket, &entity, EntityState::Subscribing);
                    batch.add(subscribe);
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
            let body = match self.polls(socket) {
                true => subscribe_body(&batch.entities),
                false => batch.body(),
            };
            self.send_request(now, socket, &body, RequestKind::Subscribe(batch.entities));
        }
    }

    fn next_change(&mut self, socket: SocketId) -> Option<(EntityId, Change)> {
        let link = self.link(socket)?;
        let entity = link.to_check.pop_front()?;
        let state = link.entities.get(&entity).copied();
        let asks = self.asks_for_presence(socket, &entity);
        let subscribe = |back_off, session| {
            Change::Subscribe(self.entity_subscribe(socket, &entity, back_off, session))
        };
        let change = match (self.subscriptions.session(&entity), state) {
            (Some(session), None) => subscribe(BackOff::default(), session),
            (Some(session), Some(EntityState::RetryDue(back_off))) => subscribe(back_off, session),
            (Some(session), Some(EntityState::Subscribed(acknowledged)))
                if acknowledged.presence != asks =>
            {
                subscribe(BackOff::default(), session)
            }
            (
                None,
                Some(
                    EntityState::Subscribed(_)
                    | EntityState::WaitingToRetry
                    | EntityState::RetryDue(_),
                ),
            ) => Change::Unsubscribe,
            _ => Change::Nothing,
        };
        Some((entity, change))
    }

    fn entity_subscribe(
        &self,
        socket: SocketId,
        entity: &EntityId,
        back_off: BackOff,
        session: u64,
    ) -> EntitySubscribe {
        EntitySubscribe {
            entity: entity.clone(),
            back_off,
            session,
            start: self.start_of(entity),
            presence: self.asks_for_presence(socket, entity),
        }
    }

    fn set_state(&mut self, socket: SocketId, entity: &EntityId, state: EntityState) {
        if let Some(link) = self.link(socket) {
            link.entities.insert(entity.clone(), state);
        }
    }

    fn send_unsubscribe(&mut self, now: Moment, socket: SocketId, entity: EntityId) {
        if let Some(link) = self.link(socket) {
            link.retries.retain(|retry| retry.entity != entity);
            if link.polling.is_some() {
                link.entities.remove(&entity);
                return;
            }
        }
        self.set_state(socket, &entity, EntityState::Unsubscribing);
        let body = request_about("unsubscribe", &entity);
        self.send_request(now, socket, &body, RequestKind::Unsubscribe(entity));
    }

    pub(super) fn subscribe_answered(
        &mut self,
        now: Moment,
        socket: SocketId,
        entities: Vec<EntitySubscribe>,
        result: Result<Reply, RequestError>,
    ) {
        let several = entities.len() > 1;
        if several && result.as_ref().is_err_and(RequestError::is_bad_request) {
            return self.subscribe_one_by_one(socket, entities);
        }
        let keep_alive = result.as_ref().ok().and_then(keep_alive);
        let mut results = match &result {
            Ok(reply) if self.polls(socket) => subscribe_results(&entities, reply),
            _ => EntityResults::of(result, several),
        };
        if results.have_unknown_connection() {
            return self.disconnect(now, socket);
        }
        // One value for all, so that entities that failed together are retried together.
        let jitter = self.jitter();
        let source = Source::of(entities.len());
        for subscribe in entities {
            let result = results.take(&subscribe.entity);
            if let Some(link) = self.link(socket).filter(|_| result.is_ok()) {
                link.note_keep_alive(&subscribe.entity, keep_alive);
            }
            self.entity_answered(now, socket, subscribe, source, jitter, result);
        }
    }

    fn entity_answered(
        &mut self,
        now: Moment,
        socket: SocketId,
        subscribe: EntitySubscribe,
        source: Source,
        jitter: f64,
        result: LogResult,
    ) {
        let accepts_requests = self.accepts_requests(socket);
        let entity = &subscribe.entity;
        match result {
            // The current socket has every subscription already.
            Err(_) if !accepts_requests => {}
            Ok(answer) if self.is_of_former_session(&subscribe, &answer) => {
                let due = EntityState::RetryDue(BackOff::default());
                self.update_state(socket, entity, Some(due));
            }
            Ok(mut answer) => {
                let acknowledged = Acknowledged {
                    presence: subscribe.presence,
                    has_log: answer.position.is_some(),
                };
                let state = EntityState::Subscribed(acknowledged);
                self.update_state(socket, entity, Some(state));
                if self.polls(socket) {
                    self.polled(now, entity);
                } else if subscribe.presence {
                    self.presence_acknowledged(now, entity, answer.presence.take());
                }
                self.subscribed(now, socket, &subscribe, source, answer);
            }
            Err(error) if subscribe.presence && error.may_refuse_presence() => {
                let due = EntityState::RetryDue(subscribe.back_off);
                self.update_state(socket, entity, Some(due));
                self.refuse_presence(now, entity, error);
            }
            Err(error) if self.should_retry(entity, &error) => {
                self.retry_later(now, socket, subscribe, jitter);
            }
            Err(error) => self.subscription_failed(socket, entity, error),
        }
    }

    /// Returns true if the application unsubscribed and subscribed again meanwhile, and the present session
    /// needs a position or messages of its own.
    fn is_of_former_session(&self, subscribe: &EntitySubscribe, answer: &LogAnswer) -> bool {
        let session = self.subscriptions.session(&subscribe.entity);
        let has_log =
            answer.position.is_some() || self.start_of(&subscribe.entity) != StartRequest::Live;
        session.is_some_and(|session| session != subscribe.session) && has_log
    }

    pub(super) fn accepts_requests(&mut self, socket: SocketId) -> bool {
        let link = self.link(socket);
        link.is_some_and(|link| link.accepts_requests())
    }

    /// Subscribes to each entity alone, because the server does not support a `subscribe` to several, or one of
    /// the entities is invalid.
    fn subscribe_one_by_one(&mut self, socket: SocketId, entities: Vec<EntitySubscribe>) {
        let Some(link) = self.link(socket).filter(|link| link.accepts_requests()) else {
            return;
        };
        link.one_by_one = true;
        for subscribe in entities.into_iter().rev() {
            let EntitySubscribe {
                entity, back_off, ..
            } = subscribe;
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

    /// Resolves the subscribers that wait for the acknowledgement of an entity on a socket.
    pub(super) fn resolve_subscribers(&mut self, socket: SocketId, entity: &EntityId) {
        let acknowledged = self.link(socket).and_then(|link| link.acknowledged(entity));
        let asked = acknowledged.is_some_and(|acknowledged| acknowledged.presence);
        let is_complete = asked || !self.asks_for_presence(socket, entity);
        let cursor = self.cursors.get(&Audience::Entity(entity.clone()));
        let position = cursor.and_then(|cursor| cursor.position().cloned());
        for request in self.subscriptions.acknowledged(entity, is_complete) {
            self.effects.push(Effect::Resolve {
                request,
                reply: None,
                position: position.clone(),
            });
        }
    }

    fn retry_later(
        &mut self,
        now: Moment,
        socket: SocketId,
        subscribe: EntitySubscribe,
        jitter: f64,
    ) {
        let EntitySubscribe {
            entity,
            mut back_off,
            ..
        } = subscribe;
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

    /// Ends the subscription to an entity, and informs its subscribers.
    pub(super) fn subscription_failed(
        &mut self,
        socket: SocketId,
        entity: &EntityId,
        error: RequestError,
    ) {
        // After any error but a refusal by Herald, the server may have stored the subscription.
        let stored = !matches!(error, RequestError::Server(_));
        let state = EntityState::Subscribed(Acknowledged::default());
        self.update_state(socket, entity, stored.then_some(state));
        let established = self.subscriptions.is_established(entity);
        self.forget(entity);
        self.end_presence(entity);
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
        let asks = self.asks_for_presence(socket, entity);
        let Some(link) = self.link(socket) else {
            return;
        };
        match state {
            Some(state) => link.entities.insert(entity.clone(), state),
            None => {
                link.note_keep_alive(entity, None);
                link.entities.remove(entity)
            }
        };
        let fits = match state {
            Some(EntityState::Subscribed(acknowledged)) => wanted && acknowledged.presence == asks,
            Some(EntityState::WaitingToRetry) => true,
            _ => !wanted,
        };
        if !fits && link.accepts_requests() {
            link.to_check.push_back(entity.clone());
        }
    }
}

/// The change that brings an entity to its wanted state.
enum Change {
    Nothing,
    Subscribe(EntitySubscribe),
    Unsubscribe,
}

/// The entities of one `subscribe`.
#[derive(Default)]
struct Batch {
    entities: Vec<EntitySubscribe>,
    bytes: usize,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }

    fn has_room_for(&self, subscribe: &EntitySubscribe, one_by_one: bool) -> bool {
        let bytes = FRAME_WITHOUT_ENTITIES + self.bytes + bytes_of(subscribe);
        let fits = self.entities.len() < ENTITIES_AT_ONCE && bytes <= SUBSCRIBE_LIMIT;
        self.is_empty() || fits && !one_by_one
    }

    fn add(&mut self, subscribe: EntitySubscribe) {
        self.bytes += bytes_of(&subscribe);
        self.entities.push(subscribe);
    }

    /// Returns the request. Every server supports the form for one entity.
    fn body(&self) -> RequestBody {
        if let [subscribe] = self.entities.as_slice() {
            let mut frame = fields_of(subscribe);
            frame.insert("action".to_owned(), json!("subscribe"));
            frame.insert("entityId".to_owned(), json!(subscribe.entity));
            return RequestBody::new(Value::Object(frame).to_string());
        }
        let entities: Map<_, _> = self
            .entities
            .iter()
            .map(|subscribe| {
                let name = subscribe.entity.as_str().to_owned();
                (name, Value::Object(fields_of(subscribe)))
            })
            .collect();
        RequestBody::new(json!({"action": "subscribe", "entities": entities}).to_string())
    }
}

/// The bytes of `"entity":{},` in a frame, with its fields.
fn bytes_of(subscribe: &EntitySubscribe) -> usize {
    let fields = Value::Object(fields_of(subscribe));
    json!(subscribe.entity).to_string().len() + fields.to_string().len() + ":,".len()
}

/// Returns the fields of an entity in a `subscribe`.
fn fields_of(subscribe: &EntitySubscribe) -> Map<String, Value> {
    let start = match &subscribe.start {
        StartRequest::Live => None,
        StartRequest::Recover(position) => Some(("recover".to_owned(), json!(position))),
        StartRequest::Rewind(count) => Some(("rewind".to_owned(), json!(count))),
    };
    let presence = subscribe.presence;
    let presence = presence.then(|| ("presence".to_owned(), json!(true)));
    start.into_iter().chain(presence).collect()
}

fn request_about(action: &str, entity: &EntityId) -> RequestBody {
    let frame = json!({"action": action, "entityId": entity});
    RequestBody::new(frame.to_string())
}
