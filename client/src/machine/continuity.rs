//! Every message once and in order across connections: the client follows the log of each audience that has
//! one, and holds what arrives beyond a gap. `syncing` asks for what is missing, and `log_answers` handles the answers.

use std::time::Duration;

use herald_shared::{ids::EntityId, log::Position, protocol::StartRequest};
use serde::Deserialize;

use super::{
    Machine,
    audience::Audience,
    back_off::share,
    cursor::{Cursor, Output},
    frame::acknowledged_positions,
    link::{EntitySubscribe, Question, Role},
    log_answer::LogAnswer,
    log_answers::{HeldAnswer, Source},
    signals::{Effect, Moment, RequestBody, SocketId},
};
use crate::{Push, Reply};

impl Machine {
    /// Asks for the position of an audience, from the first time that the application reads its pushes.
    pub(super) fn follow(&mut self, now: Moment, audience: Audience) {
        if self.cursors.contains_key(&audience) || self.has_stopped() {
            return;
        }
        self.cursors.insert(audience.clone(), Cursor::asking());
        if let Some(socket) = self.current_socket() {
            self.send_sync(now, socket, vec![audience]);
        }
    }

    /// Keeps the start that the first subscriber of an entity wants until the server is asked.
    pub(super) fn begin_at(&mut self, entity: &EntityId, start: StartRequest) {
        let cursor = match start {
            StartRequest::Live => return,
            StartRequest::Recover(position) => Cursor::at(position),
            StartRequest::Rewind(count) => Cursor::rewinding(count),
        };
        self.cursors
            .insert(Audience::Entity(entity.clone()), cursor);
    }

    /// Returns the start to ask the server for.
    pub(super) fn start_of(&self, entity: &EntityId) -> StartRequest {
        let cursor = self.cursors.get(&Audience::Entity(entity.clone()));
        let rewind = cursor.and_then(Cursor::rewind).map(StartRequest::Rewind);
        let position = cursor.and_then(|cursor| cursor.position().cloned());
        let recover = position.map(StartRequest::Recover);
        rewind.or(recover).unwrap_or(StartRequest::Live)
    }

    /// Forgets the position in the log of an entity without subscribers.
    pub(super) fn forget(&mut self, entity: &EntityId) {
        let audience = Audience::Entity(entity.clone());
        self.cursors.remove(&audience);
        self.gap_timers.remove(&audience);
    }

    /// Handles the acknowledgement of a subscription. `source` is its request.
    pub(super) fn subscribed(
        &mut self,
        now: Moment,
        socket: SocketId,
        subscribe: &EntitySubscribe,
        source: Source,
        answer: LogAnswer,
    ) {
        let audience = Audience::Entity(subscribe.entity.clone());
        if self.subscriptions.session(&subscribe.entity) != Some(subscribe.session) {
            return self.resolve_subscribers(socket, &subscribe.entity);
        }
        if answer.position.is_none() {
            let cursor = self.cursors.get_mut(&audience);
            let outputs = cursor.map(Cursor::turn_off).unwrap_or_default();
            self.resolve_subscribers(socket, &subscribe.entity);
            return self.hand_out(now, &audience, outputs);
        }
        let cursor = self.cursors.entry(audience.clone()).or_default();
        let was_known = cursor.position().is_some();
        cursor.begin(&answer);
        let since = match &subscribe.start {
            StartRequest::Recover(position) if was_known => Some(position.clone()),
            _ if was_known => None,
            _ => cursor.position().cloned(),
        };
        self.resolve_subscribers(socket, &subscribe.entity);
        let question = Question {
            audience,
            session: Some(subscribe.session),
            since,
        };
        let delay = self.rules.gap_after;
        self.log_answered(now, socket, question, source, answer, delay);
    }

    /// Handles a push of an audience that may have a log.
    pub(super) fn follow_push(&mut self, now: Moment, audience: Audience, push: Push) {
        if let Some(position) = push.position().cloned() {
            return self.arrived(now, audience, position, Some(push));
        }
        let cursor = self.cursors.get_mut(&audience);
        if let Some(cursor) = cursor.filter(|cursor| cursor.position().is_some()) {
            let outputs = cursor.turn_off();
            self.hand_out(now, &audience, outputs);
        }
        self.emit(audience.route(), push);
    }

    /// Moves the position by the client's own messages, which are not pushed to it.
    pub(super) fn follow_own(&mut self, now: Moment, body: &RequestBody, reply: &Reply) {
        let positions = acknowledged_positions(reply);
        if positions.is_empty() {
            return;
        }
        let Some(audience) = audience_of(body) else {
            return;
        };
        for position in positions {
            let known = self
                .cursors
                .get(&audience)
                .is_some_and(|cursor| cursor.position().is_some());
            if known || self.awaits_position(&audience) {
                self.arrived(now, audience.clone(), position, None);
            }
        }
    }

    fn arrived(&mut self, now: Moment, audience: Audience, position: Position, push: Option<Push>) {
        let Some(epoch) = position.epoch else {
            return;
        };
        let awaits = self.awaits_position(&audience);
        let waits = awaits || self.is_asked_about(&audience);
        let (limit, limit_while_asking) = (self.rules.held_limit, self.rules.held_while_asking);
        let cursor = self.cursors.entry(audience.clone()).or_default();
        let mut outputs = cursor.arrived(epoch, position.offset, push, awaits);
        if waits && cursor.held() > limit_while_asking {
            outputs.extend(cursor.skip());
        }
        let is_full = !waits && cursor.held() > limit;
        self.hand_out(now, &audience, outputs);
        if is_full {
            self.gap_timers.insert(audience, now);
        }
    }

    /// Returns true if a reply is to tell the position of an audience before anything is delivered to it.
    fn awaits_position(&self, audience: &Audience) -> bool {
        let cursor = self.cursors.get(audience);
        let is_known = cursor.is_some_and(|cursor| cursor.position().is_some());
        match audience {
            Audience::Entity(entity) if !self.subscriptions.wants(entity) => false,
            Audience::Entity(entity) if !self.subscriptions.is_established(entity) => true,
            _ => !is_known && self.is_asked_about(audience),
        }
    }

    pub(super) fn is_asked_about(&self, audience: &Audience) -> bool {
        let mut requests = self.links.iter().flat_map(|link| link.in_flight.values());
        let is_held = |held: &HeldAnswer| {
            held.question.audience == *audience && self.is_of_present_session(&held.question)
        };
        requests.any(|request| request.kind.asks_about(audience))
            || self.held_answers.iter().any(is_held)
    }

    /// Hands results to the application, and starts or ends the gap timer.
    pub(super) fn hand_out(&mut self, now: Moment, audience: &Audience, outputs: Vec<Output>) {
        for output in outputs {
            let to = audience.route();
            match output {
                Output::Message(push) => self.emit(to, push),
                Output::Lost(position) => self.effects.push(Effect::Lost { to, position }),
            }
        }
        self.await_gap(now, audience, None);
    }

    /// Starts the gap timer of an audience that is behind, unless it runs or a reply is to come. Ends it if the
    /// audience is not behind.
    pub(super) fn await_gap(&mut self, now: Moment, audience: &Audience, delay: Option<Duration>) {
        let cursor = self.cursors.get(audience);
        let is_behind =
            cursor.is_some_and(|cursor| cursor.is_behind() && cursor.position().is_some());
        if !is_behind {
            self.gap_timers.remove(audience);
        } else if !self.gap_timers.contains_key(audience) && !self.is_asked_about(audience) {
            let delay = delay.unwrap_or_else(|| self.gap_delay());
            self.gap_timers.insert(audience.clone(), now + delay);
        }
    }

    /// Returns a random delay, so that the subscribers of one entity do not ask together.
    pub(super) fn gap_delay(&mut self) -> Duration {
        let jitter = self.jitter();
        self.rules.gap_after + share(self.rules.gap_spread, jitter)
    }

    pub(super) fn current_socket(&mut self) -> Option<SocketId> {
        let current = self.link_with(Role::Current)?;
        current.open().is_some().then_some(current.socket)
    }
}

/// Returns the audience of a message. `None` if it has none, or if the request is another one.
fn audience_of(body: &RequestBody) -> Option<Audience> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Target {
        entity_id: Option<EntityId>,
        #[serde(default)]
        broadcast: bool,
    }
    let target: Target = serde_json::from_str(body.text()).ok()?;
    let everyone = target.broadcast.then_some(Audience::Everyone);
    target.entity_id.map(Audience::Entity).or(everyone)
}
