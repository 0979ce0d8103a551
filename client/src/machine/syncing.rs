//! The requests about logs: `sync` compares positions, and `history` reads on.

use std::time::Duration;

use herald_shared::{protocol::SUBSCRIBE_LIMIT, store::ENTITIES_AT_ONCE};
use serde_json::{Map, Value, json};

use super::{
    Machine,
    audience::Audience,
    cursor::Cursor,
    frame::{LogResult, SyncResults, log_answer},
    link::{Question, RequestKind, Role},
    log_answers::Source,
    polling::unreadable_error,
    signals::{Moment, RequestBody, SocketId},
};
use crate::{Reply, RequestError};

/// The most bytes of a `sync` without its entities.
const FRAME_WITHOUT_ENTITIES: usize = 256;

impl Machine {
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

    pub(super) fn send_sync(&mut self, now: Moment, socket: SocketId, audiences: Vec<Audience>) {
        let pause = self.polling(socket).map(|polling| polling.pause);
        let mut frame = SyncFrame::default();
        for audience in audiences {
            self.gap_timers.remove(&audience);
            let question = self.question(audience);
            if !frame.has_room_for(&question) {
                let full = std::mem::take(&mut frame);
                let body = full.body(pause);
                self.send_request(now, socket, &body, RequestKind::Sync(full.questions));
            }
            frame.add(question);
        }
        if !frame.questions.is_empty() {
            let body = frame.body(pause);
            self.send_request(now, socket, &body, RequestKind::Sync(frame.questions));
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
        let unreadable = result.as_ref().and_then(unreadable_error);
        // A link that lingers has a successor with every subscription.
        let may_end = self.polls(socket) && self.accepts_requests(socket);
        if let Some(error) = unreadable.filter(|_| may_end) {
            return self.unreadable(now, socket, &question, error);
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
    pub(super) fn without_log(&mut self, now: Moment, audience: &Audience) {
        let cursor = self.cursors.get_mut(audience);
        let outputs = cursor.map(Cursor::turn_off).unwrap_or_default();
        self.hand_out(now, audience, outputs);
    }

    pub(super) fn is_of_present_session(&self, question: &Question) -> bool {
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

    /// Reads the messages that follow a reply that was full.
    pub(super) fn read_on(&mut self, now: Moment, socket: SocketId, audience: Audience) {
        let accepts = self.accepts_requests(socket);
        let Some(socket) = Some(socket)
            .filter(|_| accepts)
            .or_else(|| self.current_socket())
        else {
            return;
        };
        let polls = self.polls(socket);
        let cursor = self.cursors.get(&audience);
        if polls || cursor.is_none_or(|cursor| cursor.history_is_refused) {
            return self.send_sync(now, socket, vec![audience]);
        }
        self.gap_timers.remove(&audience);
        let question = self.question(audience);
        let body = history_body(&question);
        self.send_request(now, socket, &body, RequestKind::History(question));
    }
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

    /// Returns the request. A poll has the last pause between polls.
    fn body(&self, pause: Option<Duration>) -> RequestBody {
        let mut frame = json!({"action": "sync"});
        if let Some(pause) = pause {
            frame["pollAfter"] = json!(pause.as_millis() as u64);
        }
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
