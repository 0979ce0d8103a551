//! Polling: HTTP requests that read the logs and send messages, in the place of a WebSocket.
//!
//! A link that polls is a link like any other. Its requests are POSTs, `sync` takes the place of `subscribe`, and in
//! the place of pushes there is a `sync` of every position from time to time.

use std::time::Duration;

use herald_shared::{log::Position, protocol::StartRequest};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Machine,
    audience::Audience,
    back_off::share,
    frame::{EntityResults, Frame, LogResult, SyncResults, poll_pause},
    link::{EntitySubscribe, Link, Question, RequestKind},
    log_answer::LogAnswer,
    signals::{Effect, Moment, PostPath, RequestBody, SocketId},
};
use crate::{GatewayError, Reply, RequestError, ServerError};

/// The pause between polls before the server demands one.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// The longest pause between polls that the server demands.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// The state of a link that polls.
#[derive(Debug)]
pub(super) struct Polling {
    /// The token of its requests.
    pub(super) token: Option<String>,
    /// The pause between polls.
    pub(super) pause: Duration,
    /// The time of the next poll. `None` before the first answer.
    pub(super) poll_at: Option<Moment>,
}

impl Default for Polling {
    fn default() -> Self {
        Self {
            token: None,
            pause: FIRST_PAUSE,
            poll_at: None,
        }
    }
}

impl Machine {
    /// Begins the handshake of a link that polls: a poll of one log, whose answer has no further use.
    pub(super) fn open_by_poll(&mut self, now: Moment, socket: SocketId, token: Option<String>) {
        self.set_poll_token(socket, token);
        let body = json!({"action": "sync", "everyone": {}}).to_string();
        self.send_request(now, socket, &RequestBody::new(body), RequestKind::Open);
    }

    /// Sets the token of the later requests of a link that polls.
    pub(super) fn set_poll_token(&mut self, socket: SocketId, token: Option<String>) {
        if let Some(polling) = self.polling(socket) {
            polling.token = token;
        }
    }

    /// Handles the answer to a request; without an answer, `status` is `None`. The link then is broken, unless the
    /// request was a message: its outcome is unknown.
    pub(super) fn post_answered(
        &mut self,
        now: Moment,
        socket: SocketId,
        id: u64,
        status: Option<u16>,
        text: String,
    ) {
        let in_flight = self
            .link(socket)
            .and_then(|link| link.in_flight.get(&id))
            .map(|request| &request.kind);
        let (is_open, is_message) = match in_flight {
            None => return,
            Some(kind) => (
                matches!(kind, RequestKind::Open),
                matches!(kind, RequestKind::Send(_)),
            ),
        };
        match status {
            Some(401) => return self.poll_refused(now, socket, id, 401),
            Some(403) if !is_message => return self.poll_refused(now, socket, id, 403),
            _ => {}
        }
        let error = match Frame::read(text) {
            Frame::Reply {
                result: Ok(reply), ..
            } => {
                if !is_message {
                    self.poll_later(now, socket, poll_pause(&reply));
                }
                return match is_open {
                    true => self.opened_by_poll(now, socket, id),
                    false => self.answered(now, socket, id, Ok(reply)),
                };
            }
            Frame::Reply {
                result: Err(error), ..
            }
            | Frame::Unaddressed(error) => Some(error),
            _ if status == Some(429) => Some(throttled()),
            _ => None,
        };
        match error.filter(|_| !is_open) {
            None => self.post_unanswered(now, socket, id),
            Some(error) => {
                if !is_message {
                    let pause = self.polling(socket).map(|polling| 2 * polling.pause);
                    self.poll_later(now, socket, pause.map(|pause| pause.min(LONGEST_PAUSE)));
                }
                self.failed(now, socket, Some(id), error);
            }
        }
    }

    fn opened_by_poll(&mut self, now: Moment, socket: SocketId, id: u64) {
        if let Some(link) = self.link(socket) {
            link.in_flight.remove(&id);
        }
        self.opened(now, socket);
    }

    /// Counts a refused authorisation. The server did not carry out the request, so a message goes back to the outbox.
    fn poll_refused(&mut self, now: Moment, socket: SocketId, id: u64, status: u16) {
        self.take_back(socket, id);
        self.effects.push(Effect::CloseSocket { socket });
        self.refused(now, socket, Some(status));
    }

    /// Ends a request without an answer, and its link unless the request was a message, or the link lingers.
    fn post_unanswered(&mut self, now: Moment, socket: SocketId, id: u64) {
        let lingers = self.link(socket).is_some_and(|link| link.lingers());
        match self.take_message(socket, id) {
            None if lingers => self.failed(now, socket, Some(id), RequestError::OutcomeUnknown),
            None => self.disconnect(now, socket),
            Some(message) if message.safe_to_repeat => self.requeue_later(now, message),
            Some(message) => self.reject(message.request, RequestError::OutcomeUnknown),
        }
    }

    /// Polls after a pause. The random addition keeps clients that started together apart. Without a pause the last
    /// one holds: what waits on the server is asked for by its own request.
    fn poll_later(&mut self, now: Moment, socket: SocketId, pause: Option<Duration>) {
        let jitter = self.jitter();
        if let Some(polling) = self.polling(socket) {
            polling.pause = pause.unwrap_or(polling.pause);
            polling.poll_at = Some(now + share(polling.pause, 1.0 + 0.1 * jitter));
        }
    }

    /// Compares every position, unless that is in progress.
    pub(super) fn poll(&mut self, now: Moment, socket: SocketId) {
        if let Some(polling) = self.polling(socket) {
            polling.poll_at = None;
        }
        if !self.sync_all(now, socket) {
            self.poll_later(now, socket, None);
        }
    }

    /// Ends what reads a log that cannot be polled.
    pub(super) fn unreadable(
        &mut self,
        now: Moment,
        socket: SocketId,
        question: &Question,
        error: RequestError,
    ) {
        match &question.audience {
            Audience::Entity(entity) => self.subscription_failed(socket, entity, error),
            Audience::User | Audience::Everyone => self.without_log(now, &question.audience),
        }
    }

    /// Returns true if a link polls.
    pub(super) fn polls(&self, socket: SocketId) -> bool {
        let mut links = self.links.iter();
        links.any(|link| link.socket == socket && link.polling.is_some())
    }

    pub(super) fn polling(&mut self, socket: SocketId) -> Option<&mut Polling> {
        self.link(socket)?.polling.as_mut()
    }
}

impl Link {
    /// Returns the effect that sends a request by HTTP. `None` if the link does not poll.
    pub(super) fn post(&self, id: u64, body: &RequestBody, kind: &RequestKind) -> Option<Effect> {
        let polling = self.polling.as_ref()?;
        let path = match kind {
            RequestKind::Send(_) => PostPath::Messages,
            _ => PostPath::Poll,
        };
        Some(Effect::Post {
            socket: self.socket,
            request: id,
            path,
            token: polling.token.clone(),
            text: body.with_id(id),
        })
    }
}

/// Returns the error that ends a subscription to a log. `None` if later polls can read it.
pub(super) fn unreadable_error(result: &LogResult) -> Option<RequestError> {
    match result {
        Ok(answer) => answer.position.is_none().then(unsupported),
        Err(error) => (!error.is_retryable()).then(|| error.clone()),
    }
}

/// Returns the request of subscriptions, which are a `sync` from their positions.
pub(super) fn subscribe_body(entities: &[EntitySubscribe]) -> RequestBody {
    let since = |subscribe: &EntitySubscribe| match &subscribe.start {
        StartRequest::Recover(position) => json!(position),
        StartRequest::Live | StartRequest::Rewind(_) => json!({}),
    };
    let entities: Map<String, Value> = entities
        .iter()
        .map(|subscribe| (subscribe.entity.as_str().to_owned(), since(subscribe)))
        .collect();
    RequestBody::new(json!({"action": "sync", "entities": entities}).to_string())
}

/// Returns the results of subscriptions from the reply to their `sync`.
pub(super) fn subscribe_results(entities: &[EntitySubscribe], reply: &Reply) -> EntityResults {
    let mut results = SyncResults::read(reply);
    let result = |subscribe: &EntitySubscribe| {
        let audience = Audience::Entity(subscribe.entity.clone());
        let result = subscribe_result(&subscribe.start, results.take(&audience))?;
        Some((subscribe.entity.as_str().to_owned(), result))
    };
    EntityResults::Each(entities.iter().filter_map(result).collect())
}

fn subscribe_result(start: &StartRequest, result: Option<LogResult>) -> Option<LogResult> {
    match (start, result) {
        (StartRequest::Recover(position), None) => Some(Ok(current_at(position))),
        (_, None) => None,
        (StartRequest::Rewind(_), Some(Ok(_))) => Some(Err(unsupported())),
        (_, Some(Ok(answer))) if answer.position.is_none() => Some(Err(unsupported())),
        (_, Some(result)) => Some(result),
    }
}

/// Returns the answer for a client that is current.
fn current_at(position: &Position) -> LogAnswer {
    LogAnswer {
        position: Some(position.clone()),
        top: position.offset,
        ..LogAnswer::default()
    }
}

/// Returns the error of what a client that polls cannot do.
pub(super) fn unsupported() -> RequestError {
    let message = "the client polls, and can only read logs from a position: use a WebSocket, or the parameter History";
    RequestError::Server(ServerError {
        code_text: "unsupported".to_owned(),
        message: message.to_owned(),
        retryable: false,
        event_ids: Vec::new(),
    })
}

/// Returns true if a request of the application can be sent without a WebSocket.
pub(super) fn is_message(body: &RequestBody) -> bool {
    #[derive(Deserialize)]
    struct Request<'a> {
        action: &'a str,
    }
    let request: Result<Request<'_>, _> = serde_json::from_str(body.text());
    request.is_ok_and(|request| request.action == "sendMessage")
}

/// Returns the error of a 429 without a body of Herald's: Lambda's.
fn throttled() -> RequestError {
    RequestError::Gateway(GatewayError::new("Too Many Requests".to_owned()))
}
