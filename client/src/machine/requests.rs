//! Requests, from the outbox to a socket, and their replies, from a socket to the application.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Machine,
    back_off::BackOff,
    frame::Frame,
    link::{InFlight, RequestKind, Role},
    outbox::QueuedMessage,
    polling::{is_message, unsupported},
    signals::{Effect, Moment, RequestBody, RequestNumber, SocketId},
};
use crate::{Reply, RequestError, StopReason, WhenFull};

impl Machine {
    pub(super) fn send(
        &mut self,
        now: Moment,
        request: RequestNumber,
        body: RequestBody,
        safe_to_repeat: bool,
        time_to_live: Option<Duration>,
    ) {
        if self.has_stopped() || self.closing.is_some() {
            return self.reject(request, RequestError::Stopped);
        }
        // The message gets its id later, and no later id is shorter than this one.
        if body.with_id(self.requests + 1).len() > self.rules.message_limit {
            return self.reject(request, RequestError::TooLarge);
        }
        let expires_at = now + time_to_live.unwrap_or(self.rules.time_to_live);
        self.outbox.push(request, body, safe_to_repeat, expires_at);
        self.send_pending(now);
        self.enforce_outbox_limit();
    }

    /// Refuses a message if the outbox is over its limit. Called after sending, since a message that is sent
    /// at once needs no place.
    fn enforce_outbox_limit(&mut self) {
        if self.outbox.len() > self.rules.outbox_limit {
            let refused = match self.rules.outbox_full {
                WhenFull::RefuseNewest => self.outbox.pop_last(),
                WhenFull::DropOldest => self.outbox.pop(),
            };
            if let Some(refused) = refused {
                self.reject(refused.request, RequestError::OutboxFull);
            }
        }
    }

    pub(super) fn expire(&mut self, now: Moment) {
        while let Some(expired) = self.outbox.pop_expired(now) {
            self.reject(expired.request, RequestError::Expired);
        }
    }

    /// Sends subscriptions, and then messages of the outbox, up to the limit of requests in flight.
    pub(super) fn send_pending(&mut self, now: Moment) {
        for index in 0..self.links.len() {
            while self.send_next(now, index) {}
        }
    }

    /// Sends the next request of a socket, or skips entities that need none. Returns false if nothing is left
    /// to send, or if the limit of requests in flight is reached.
    fn send_next(&mut self, now: Moment, index: usize) -> bool {
        let link = &mut self.links[index];
        if !link.accepts_requests() || link.in_flight.len() >= self.rules.in_flight_limit {
            return false;
        }
        let socket = link.socket;
        if !link.to_check.is_empty() {
            self.send_entity_request(now, socket);
            return true;
        }
        if link.role != Role::Current || self.outbox_paused_until.is_some() {
            return false;
        }
        let polls = link.polling.is_some();
        // HTTP requests may overtake each other, so a link that polls sends one message after the other.
        if polls && link.oldest_send().is_some() {
            return false;
        }
        let Some(message) = self.outbox.pop() else {
            return false;
        };
        if polls && !is_message(&message.body) {
            self.reject(message.request, unsupported());
            return true;
        }
        let body = message.body.clone();
        self.send_request(now, socket, &body, RequestKind::Send(message));
        true
    }

    pub(super) fn send_request(
        &mut self,
        now: Moment,
        socket: SocketId,
        body: &RequestBody,
        kind: RequestKind,
    ) {
        self.requests += 1;
        let id = self.requests;
        let times_out_at = now + self.rules.reply_timeout;
        if let Some(link) = self.link(socket) {
            let post = link.post(id, body, &kind);
            link.in_flight.insert(id, InFlight { kind, times_out_at });
            if let Some(open) = link.open_mut() {
                open.unanswered_since.get_or_insert(now);
            }
            let send = || Effect::Send {
                socket,
                text: body.with_id(id),
            };
            self.effects.push(post.unwrap_or_else(send));
        }
    }

    pub(super) fn received(&mut self, now: Moment, socket: SocketId, text: String) {
        let Some(link) = self.link(socket) else {
            return;
        };
        let awaited_pong = link.open_mut().is_some_and(|open| {
            open.received_at = now;
            open.unanswered_since = None;
            open.pong_by.take().is_some()
        });
        match Frame::read(text) {
            Frame::Reply { id, result } => self.answered(now, socket, id, result),
            Frame::Unaddressed(error) => {
                let id = self.only_request(socket).filter(|_| !awaited_pong);
                self.failed(now, socket, id, error);
            }
            Frame::Push(push) => self.pushed(now, socket, push),
            Frame::Disconnect {
                reconnect: true, ..
            } => self.disconnect(now, socket),
            Frame::Disconnect { code, reason, .. } => {
                self.stop(now, StopReason::Disconnected { code, reason });
            }
            Frame::Nothing => {}
        }
    }

    /// Returns the only request in flight, to which an error without an `id` belongs. `None` if there are several.
    fn only_request(&mut self, socket: SocketId) -> Option<u64> {
        let in_flight = &self.link(socket)?.in_flight;
        let (id, _) = in_flight.first_key_value()?;
        (in_flight.len() == 1).then_some(*id)
    }

    /// Handles the error of a request, or of one that the frame does not name.
    pub(super) fn failed(
        &mut self,
        now: Moment,
        socket: SocketId,
        id: Option<u64>,
        error: RequestError,
    ) {
        if let RequestError::Server(error) = &error {
            for event_id in error.event_ids.iter().flatten() {
                self.repeats.insert(event_id);
            }
        }
        if error.is_unknown_connection() {
            self.connection_unknown(now, socket, id);
        } else if let Some(id) = id {
            self.conclude(now, socket, id, Err(error));
        }
    }

    /// Replaces a connection that the server does not know any more. The server did not carry out the request.
    fn connection_unknown(&mut self, now: Moment, socket: SocketId, id: Option<u64>) {
        if let Some(id) = id {
            self.take_back(socket, id);
        }
        self.disconnect(now, socket);
    }

    /// Puts a message that the server did not carry out back into the outbox.
    pub(super) fn take_back(&mut self, socket: SocketId, id: u64) {
        if let Some(message) = self.take_message(socket, id) {
            self.outbox.put_back(message);
        }
    }

    /// Removes a message in flight, and returns it. `None` if the request is another one.
    pub(super) fn take_message(&mut self, socket: SocketId, id: u64) -> Option<QueuedMessage> {
        let in_flight = &mut self.link(socket)?.in_flight;
        match in_flight.get(&id)?.kind {
            RequestKind::Send(_) => {}
            _ => return None,
        }
        match in_flight.remove(&id)?.kind {
            RequestKind::Send(message) => Some(message),
            _ => None,
        }
    }

    pub(super) fn answered(
        &mut self,
        now: Moment,
        socket: SocketId,
        id: u64,
        result: Result<Reply, RequestError>,
    ) {
        match result {
            Ok(reply) => {
                for event_id in reply.event_ids() {
                    self.repeats.insert(&event_id);
                }
                self.conclude(now, socket, id, Ok(reply));
            }
            Err(error) => self.failed(now, socket, Some(id), error),
        }
    }

    fn conclude(
        &mut self,
        now: Moment,
        socket: SocketId,
        id: u64,
        result: Result<Reply, RequestError>,
    ) {
        let request = self
            .link(socket)
            .and_then(|link| link.in_flight.remove(&id));
        let Some(request) = request else {
            return;
        };
        match request.kind {
            RequestKind::Send(message) => self.send_answered(now, message, result),
            RequestKind::Subscribe(entities) => {
                self.subscribe_answered(now, socket, entities, result)
            }
            RequestKind::Unsubscribe(entity) => self.unsubscribe_answered(socket, entity),
            RequestKind::Sync(questions) => self.sync_answered(now, socket, questions, result),
            RequestKind::History(question) => self.history_answered(now, socket, question, result),
            RequestKind::Presence(entity) => self.presence_answered(now, &entity, result),
            RequestKind::Authenticate => self.authenticate_answered(now, socket, result.err()),
            // `post_answered` handles its answer.
            RequestKind::Open => {}
        }
    }

    fn send_answered(
        &mut self,
        now: Moment,
        message: QueuedMessage,
        result: Result<Reply, RequestError>,
    ) {
        let request = message.request;
        match result {
            Ok(reply) => {
                self.throttling.reset();
                self.effects.push(Effect::Resolve {
                    request,
                    reply: Some(reply.clone()),
                    position: None,
                });
                self.follow_own(now, &message.body, &reply);
            }
            Err(error) if error.is_throttled() => self.requeue_later(now, message),
            Err(error) => self.reject(request, error),
        }
    }

    /// Requeues a message that was not carried out, or may be repeated, and pauses the outbox.
    pub(super) fn requeue_later(&mut self, now: Moment, message: QueuedMessage) {
        self.outbox.put_back(message);
        if self.outbox_paused_until.is_none() {
            let jitter = self.jitter();
            self.outbox_paused_until = Some(now + self.throttling.next(&self.rules, jitter));
        }
    }

    fn authenticate_answered(
        &mut self,
        now: Moment,
        socket: SocketId,
        error: Option<RequestError>,
    ) {
        match error {
            None => {
                if let Some(link) = self.link(socket) {
                    link.authentication = BackOff::default();
                }
            }
            Some(error) if error.is_retryable() => self.authenticate_later(now, socket),
            Some(_) if self.is_current(socket) => self.renew(now),
            Some(_) => {}
        }
    }

    fn is_current(&self, socket: SocketId) -> bool {
        let mut links = self.links.iter();
        links.any(|link| link.socket == socket && link.role == Role::Current)
    }

    /// Ends the requests whose reply timed out, on a socket that stays open. A link that polls ends, unless the request
    /// was a message, or the link lingers.
    pub(super) fn time_out_requests(&mut self, now: Moment, socket: SocketId) {
        loop {
            let Some(link) = self.link(socket) else {
                return;
            };
            let polls = link.polling.is_some() && !link.lingers();
            let Some(oldest) = link.in_flight.first_entry() else {
                return;
            };
            if oldest.get().times_out_at > now {
                return;
            }
            let is_message = matches!(oldest.get().kind, RequestKind::Send(_));
            if polls && !is_message {
                return self.disconnect(now, socket);
            }
            match oldest.remove().kind {
                RequestKind::Send(message) => self.requeue_or_reject(message),
                RequestKind::Subscribe(entities) => {
                    self.subscribe_answered(
                        now,
                        socket,
                        entities,
                        Err(RequestError::OutcomeUnknown),
                    );
                }
                RequestKind::Unsubscribe(entity) => self.unsubscribe_answered(socket, entity),
                RequestKind::Sync(questions) => self.retry_sync(now, questions),
                RequestKind::History(question) => self.retry_sync(now, vec![question]),
                RequestKind::Presence(entity) => {
                    self.presence_answered(now, &entity, Err(RequestError::OutcomeUnknown));
                }
                RequestKind::Authenticate => self.authenticate_later(now, socket),
                RequestKind::Open => {}
            }
        }
    }

    /// Ends the requests of a socket that ended. The next socket subscribes and authenticates again.
    pub(super) fn end_requests(&mut self, now: Moment, in_flight: BTreeMap<u64, InFlight>) {
        for (_, request) in in_flight {
            match request.kind {
                RequestKind::Send(message) => self.requeue_or_reject(message),
                RequestKind::Sync(questions) => self.end_questions(now, questions),
                RequestKind::History(question) => self.end_questions(now, vec![question]),
                RequestKind::Subscribe(_)
                | RequestKind::Unsubscribe(_)
                | RequestKind::Presence(_)
                | RequestKind::Authenticate
                | RequestKind::Open => {}
            }
        }
    }

    /// Requeues a message whose outcome is unknown if that is safe, and rejects it otherwise.
    fn requeue_or_reject(&mut self, message: QueuedMessage) {
        if message.safe_to_repeat {
            self.outbox.put_back(message);
        } else {
            self.reject(message.request, RequestError::OutcomeUnknown);
        }
    }
}
