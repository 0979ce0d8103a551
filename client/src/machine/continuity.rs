//! Every message once and in order across connections: the client follows the log of each audience that has
//! one, asks for what is missing, and tells the application what it cannot get.

use std::time::Duration;

use herald_shared::{
    ids::EntityId,
    log::Position,
    protocol::{SUBSCRIBE_LIMIT, StartRequest},
    store::ENTITIES_AT_ONCE,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Machine,
    audience::Audience,
    back_off::share,
    cursor::{Cursor, Output},
    frame::{LogResult, SyncResults, acknowledged_positions, log_answer},
    link::{EntitySubscribe, Question, RequestKind, Role},
    log_answer::LogAnswer,
    signals::{Effect, Moment, RequestBody, SocketId},
};
use crate::{Push, Reply, RequestError};

/// The most bytes of a `sync` without its entities.
const FRAME_WITHOUT_ENTITIES: usize = 256;

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
            return self.resolve_subscribers(&subscribe.entity);
        }
        if answer.position.is_none() {
            let cursor = self.cursors.get_mut(&audience);
            let outputs = cursor.map(Cursor::turn_off).unwrap_or_default();
            self.resolve_subscribers(&subscribe.entity);
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
        self.resolve_subscribers(&subscribe.entity);
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

    fn is_asked_about(&self, audience: &Audience) -> bool {
        let mut requests = self.links.iter().flat_map(|link| link.in_flight.values());
        let is_held = |held: &HeldAnswer| {
            held.question.audience == *audience && self.is_of_present_session(&held.question)
        };
        requests.any(|request| request.kind.asks_about(audience))
            || self.held_answers.iter().any(is_held)
    }

    /// Hands results to the application, and starts or ends the gap timer.
    fn hand_out(&mut self, now: Moment, audience: &Audience, outputs: Vec<Output>) {
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
    fn await_gap(&mut self, now: Moment, audience: &Audience, delay: Option<Duration>) {
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
    fn gap_delay(&mut self) -> Duration {
        let jitter = self.jitter();
        self.rules.gap_after + share(self.rules.gap_spread, jitter)
    }

    fn current_socket(&mut self) -> Option<SocketId> {
        let current = self.link_with(Role::Current)?;
        current.open().is_some().then_some(current.socket)
    }

    /// Asks about the audiences whose gap timer is due. Without a connection the next one recovers them.
    pub(super) fn sync_due(&mut self, now: Moment) {
        let due: Vec<_> = self
            .gap_timers
            .extract_if(.., |_, at| *at <= now)
            .map(|(audience, _)| audience)
            .collect();
        let due = due
            .into_iter()
            .filter(|audience| !self.is_asked_about(audience))
            .collect();
        if let Some(socket) = self.current_socket() {
            self.send_sync(now, socket, due);
        }
    }

    /// Asks about the user and everyone on a new connection, which subscribes to neither.
    pub(super) fn sync_without_subscription(&mut self, now: Moment, socket: SocketId) {
        let is_named = |cursor: &Cursor| cursor.position().is_some() || cursor.wants_position;
        let audiences = [Audience::User, Audience::Everyone];
        let named = audiences
            .into_iter()
            .filter(|audience| self.cursors.get(audience).is_some_and(is_named));
        let named = named.collect();
        self.send_sync(now, socket, named);
    }

    /// Asks about every audience with a position, in place of a ping. Returns false if there is none, if a
    /// `sync` is unanswered, or if the socket is not the current one.
    pub(super) fn sync_all(&mut self, now: Moment, socket: SocketId) -> bool {
        let is_sync = |kind: &RequestKind| matches!(kind, RequestKind::Sync(_));
        let may_sync = self.link(socket).is_some_and(|link| {
            let mut requests = link.in_flight.values();
            link.role == Role::Current && !requests.any(|request| is_sync(&request.kind))
        });
        let with_position = self
            .cursors
            .iter()
            .filter(|(_, cursor)| may_sync && cursor.position().is_some());
        let audiences: Vec<_> = with_position
            .map(|(audience, _)| audience.clone())
            .collect();
        let any = !audiences.is_empty();
        self.send_sync(now, socket, audiences);
        any
    }

    fn send_sync(&mut self, now: Moment, socket: SocketId, audiences: Vec<Audience>) {
        let mut frame = SyncFrame::default();
        for audience in audiences {
            self.gap_timers.remove(&audience);
            let question = self.question(audience);
            if !frame.has_room_for(&question) {
                let full = std::mem::take(&mut frame);
                self.send_request(now, socket, &full.body(), RequestKind::Sync(full.questions));
            }
            frame.add(question);
        }
        if !frame.questions.is_empty() {
            self.send_request(
                now,
                socket,
                &frame.body(),
                RequestKind::Sync(frame.questions),
            );
        }
    }

    fn question(&self, audience: Audience) -> Question {
        let cursor = self.cursors.get(&audience);
        Question {
            session: self.session_of(&audience),
            since: cursor.and_then(|cursor| cursor.position().cloned()),
            audience,
        }
    }

    fn session_of(&self, audience: &Audience) -> Option<u64> {
        match audience {
            Audience::Entity(entity) => self.subscriptions.session(entity),
            Audience::User | Audience::Everyone => None,
        }
    }

    pub(super) fn sync_answered(
        &mut self,
        now: Moment,
        socket: SocketId,
        questions: Vec<Question>,
        result: Result<Reply, RequestError>,
    ) {
        match result {
            Ok(reply) => {
                let mut results = SyncResults::read(&reply);
                let source = Source::of(questions.len());
                for question in questions {
                    let result = results.take(&question.audience);
                    self.question_answered(now, socket, question, source, result);
                }
            }
            Err(error) if error.is_retryable() => self.retry_sync(now, questions),
            Err(error) => {
                for question in questions {
                    self.question_refused(now, &question, &error);
                }
            }
        }
    }

    fn question_answered(
        &mut self,
        now: Moment,
        socket: SocketId,
        question: Question,
        source: Source,
        result: Option<LogResult>,
    ) {
        if !self.is_of_present_session(&question) {
            return;
        }
        let proves = question.since.is_some();
        match result {
            Some(Ok(answer)) => {
                let cursor = self.cursors.get_mut(&question.audience);
                if let Some((cursor, present)) = cursor.zip(answer.position.as_ref())
                    && !proves
                {
                    cursor.begin_present(present);
                }
                let delay = self.gap_delay();
                self.log_answered(now, socket, question, source, answer, delay);
            }
            Some(Err(error)) if error.is_retryable() => self.retry_sync(now, vec![question]),
            None if proves => {
                if let Some(cursor) = self.cursors.get_mut(&question.audience) {
                    cursor.is_current();
                }
                self.await_gap(now, &question.audience, None);
            }
            Some(Err(error)) => self.question_refused(now, &question, &error),
            None => self.without_log(now, &question.audience),
        }
    }

    /// Goes on without an answer: the client loses what is missing. It asks no more if it has no position, or if
    /// the server is older than the request.
    fn question_refused(&mut self, now: Moment, question: &Question, error: &RequestError) {
        if !self.is_of_present_session(question) {
            return;
        }
        let Some(cursor) = self.cursors.get_mut(&question.audience) else {
            return;
        };
        if cursor.position().is_none() || error.is_unknown_action() {
            return self.without_log(now, &question.audience);
        }
        let outputs = cursor.give_up();
        self.hand_out(now, &question.audience, outputs);
    }

    /// Goes on without a log, since the server does not keep one.
    fn without_log(&mut self, now: Moment, audience: &Audience) {
        let cursor = self.cursors.get_mut(audience);
        let outputs = cursor.map(Cursor::turn_off).unwrap_or_default();
        self.hand_out(now, audience, outputs);
    }

    fn is_of_present_session(&self, question: &Question) -> bool {
        self.session_of(&question.audience) == question.session
    }

    pub(super) fn history_answered(
        &mut self,
        now: Moment,
        socket: SocketId,
        question: Question,
        result: Result<Reply, RequestError>,
    ) {
        if !self.is_of_present_session(&question) {
            return;
        }
        match result {
            Ok(reply) => {
                let delay = self.gap_delay();
                let answer = log_answer(&reply);
                self.log_answered(now, socket, question, Source::History, answer, delay);
            }
            Err(error) if error.is_retryable() => self.retry_sync(now, vec![question]),
            Err(_) => {
                if let Some(cursor) = self.cursors.get_mut(&question.audience) {
                    cursor.history_is_refused = true;
                }
                self.read_on(now, socket, question.audience);
            }
        }
    }

    /// Asks again after the back-off of each audience.
    pub(super) fn retry_sync(&mut self, now: Moment, questions: Vec<Question>) {
        // One value for all, so that audiences that failed together are asked about together.
        let jitter = self.jitter();
        for question in questions {
            let Some(cursor) = self.cursors.get_mut(&question.audience) else {
                continue;
            };
            let delay = cursor.back_off.next(&self.rules, jitter);
            cursor.doubt();
            if cursor.is_behind() || cursor.wants_position {
                self.gap_timers.insert(question.audience, now + delay);
            }
        }
    }

    /// Ends the questions of a connection that ended. The next one recovers, so only what is known to be missing
    /// is asked for.
    pub(super) fn end_questions(&mut self, now: Moment, questions: Vec<Question>) {
        let jitter = self.jitter();
        for question in questions {
            let cursor = self.cursors.get_mut(&question.audience);
            match cursor.filter(|cursor| cursor.wants_position) {
                Some(cursor) => {
                    let delay = cursor.back_off.next(&self.rules, jitter);
                    self.gap_timers.insert(question.audience, now + delay);
                }
                None => self.await_gap(now, &question.audience, None),
            }
        }
    }

    /// Handles the answer of a log, once it is known which of its messages are the application's own. `delay` is
    /// that of the next question if messages are still missing.
    fn log_answered(
        &mut self,
        now: Moment,
        socket: SocketId,
        question: Question,
        source: Source,
        answer: LogAnswer,
        delay: Duration,
    ) {
        let held = HeldAnswer {
            after: self.requests,
            socket,
            question,
            source,
            answer,
            delay,
        };
        if held.may_have_own() && self.has_unanswered_send(held.after) {
            self.held_answers.push(held);
        } else {
            self.apply_answer(now, held);
        }
    }

    /// Applies the held answers whose replies have arrived.
    pub(super) fn apply_released(&mut self, now: Moment) {
        let held = std::mem::take(&mut self.held_answers);
        let waits = |held: &HeldAnswer| self.has_unanswered_send(held.after);
        let (waiting, released): (Vec<_>, _) = held.into_iter().partition(waits);
        self.held_answers = waiting;
        self.apply_answers(now, released);
    }

    pub(super) fn apply_answers(&mut self, now: Moment, answers: Vec<HeldAnswer>) {
        for answer in answers {
            if self.is_of_present_session(&answer.question) {
                self.apply_answer(now, answer);
            }
        }
    }

    fn apply_answer(&mut self, now: Moment, held: HeldAnswer) {
        let HeldAnswer {
            socket,
            question: Question {
                audience, since, ..
            },
            source,
            answer,
            delay,
            ..
        } = held;
        let Some(cursor) = self.cursors.get_mut(&audience) else {
            return;
        };
        let (more, end) = (answer.more, answer.position.clone());
        let mut outputs = cursor.answered(answer, since.as_ref());
        let is_comparable = end.is_some_and(|end| cursor.has_epoch_of(&end));
        let mut reads_on = more && is_comparable && cursor.is_missing();
        let made_progress = cursor.position() != since.as_ref();
        if reads_on && !made_progress && !source.may_lack_room(cursor.history_is_refused) {
            outputs.extend(cursor.give_up());
            reads_on = false;
        }
        self.await_gap(now, &audience, Some(delay));
        self.hand_out(now, &audience, outputs);
        if reads_on {
            self.read_on(now, socket, audience);
        }
    }

    /// Reads the messages that follow a reply that was full.
    fn read_on(&mut self, now: Moment, socket: SocketId, audience: Audience) {
        let accepts = self.accepts_requests(socket);
        let Some(socket) = Some(socket)
            .filter(|_| accepts)
            .or_else(|| self.current_socket())
        else {
            return;
        };
        let cursor = self.cursors.get(&audience);
        if cursor.is_none_or(|cursor| cursor.history_is_refused) {
            return self.send_sync(now, socket, vec![audience]);
        }
        self.gap_timers.remove(&audience);
        let question = self.question(audience);
        let body = history_body(&question);
        self.send_request(now, socket, &body, RequestKind::History(question));
    }
}

/// The request that the answer of a log belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// A `history`. Its reply has room for one message at least.
    History,
    /// A request about this audience alone.
    Alone,
    /// A request about several audiences, which share the room for messages.
    Shared,
}

impl Source {
    /// Returns the source of a `subscribe` or a `sync` about so many audiences.
    pub(super) fn of(audiences: usize) -> Self {
        match audiences {
            1 => Self::Alone,
            _ => Self::Shared,
        }
    }

    /// Returns true if another request may get a message where a full reply had none.
    fn may_lack_room(self, history_is_refused: bool) -> bool {
        match self {
            Self::History => false,
            Self::Alone => !history_is_refused,
            Self::Shared => true,
        }
    }
}

/// The answer of a log with messages that may be the application's own. It is held until the replies to the
/// requests that were in flight when it arrived show if they are.
#[derive(Debug)]
pub(super) struct HeldAnswer {
    socket: SocketId,
    question: Question,
    source: Source,
    answer: LogAnswer,
    delay: Duration,
    /// The last request that was sent before it arrived.
    after: u64,
}

impl HeldAnswer {
    fn may_have_own(&self) -> bool {
        let mut messages = self.answer.messages.iter();
        messages.any(|push| push.kind() == "message")
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

fn history_body(question: &Question) -> RequestBody {
    let (name, value) = match &question.audience {
        Audience::Entity(entity) => ("entityId", json!(entity)),
        Audience::User => ("user", json!(true)),
        Audience::Everyone => ("everyone", json!(true)),
    };
    let mut frame = json!({"action": "history", "since": question.since});
    frame[name] = value;
    RequestBody::new(frame.to_string())
}

/// The questions of one `sync`.
#[derive(Default)]
struct SyncFrame {
    questions: Vec<Question>,
    bytes: usize,
}

impl SyncFrame {
    fn has_room_for(&self, question: &Question) -> bool {
        let bytes = FRAME_WITHOUT_ENTITIES + self.bytes + bytes_of(question);
        let is_entity = |question: &&Question| matches!(question.audience, Audience::Entity(_));
        let entities = self.questions.iter().filter(is_entity).count();
        self.questions.is_empty() || entities < ENTITIES_AT_ONCE && bytes <= SUBSCRIBE_LIMIT
    }

    fn add(&mut self, question: Question) {
        self.bytes += bytes_of(&question);
        self.questions.push(question);
    }

    fn body(&self) -> RequestBody {
        let mut frame = json!({"action": "sync"});
        let mut entities = Map::new();
        for question in &self.questions {
            let since = match &question.since {
                Some(position) => json!(position),
                None => json!({}),
            };
            match &question.audience {
                Audience::Entity(entity) => {
                    entities.insert(entity.as_str().to_owned(), since);
                }
                Audience::User => frame["user"] = since,
                Audience::Everyone => frame["everyone"] = since,
            }
        }
        if !entities.is_empty() {
            frame["entities"] = Value::Object(entities);
        }
        RequestBody::new(frame.to_string())
    }
}

/// The bytes of `"entity":position,` in a frame.
fn bytes_of(question: &Question) -> usize {
    let position = json!(question.since).to_string().len();
    match &question.audience {
        Audience::Entity(entity) => json!(entity).to_string().len() + position + ":,".len(),
        Audience::User | Audience::Everyone => position,
    }
}
