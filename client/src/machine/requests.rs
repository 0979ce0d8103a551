//! Requests: from the outbox to a socket, and from a reply to the application.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Machine,
    back_off::BackOff,
    frame::Frame,
    link::{Role, UnderWay, What},
    outbox::Outgoing,
    signals::{Body, Effect, Moment, RequestNumber, SocketId},
};
use crate::{Reply, RequestError, StopReason, WhenFull};

impl Machine {
    pub(super) fn send(
        &mut self,
        now: Moment,
        request: RequestNumber,
        body: Body,
        safe_to_repeat: bool,
        time_to_live: Option<Duration>,
    ) {
        if self.has_stopped() || self.closing.is_some() {
            return self.reject(request, RequestError::Stopped);
        }
        // The id that it will have is not known yet, but no later one is shorter.
        if body.with_id(self.requests + 1).len() > self.rules.message_limit {
            return self.reject(request, RequestError::TooLarge);
        }
        let expires_at = now + time_to_live.unwrap_or(self.rules.time_to_live);
        self.outbox.push(request, body, safe_to_repeat, expires_at);
        self.send_what_there_is_room_for(now);
        self.keep_to_the_outbox_limit();
    }

    /// Only a message that could not go out at once can be too many.
    fn keep_to_the_outbox_limit(&mut self) {
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

    /// Subscriptions first, then the outbox, as many as may be under way.
    pub(super) fn send_what_there_is_room_for(&mut self, now: Moment) {
        for index in 0..self.links.len() {
            while self.send_next(now, index) {}
        }
    }

    /// Sends the next request of a socket, or finds that an entity needs none; false if there is
    /// neither, or no room.
    fn send_next(&mut self, now: Moment, index: usize) -> bool {
        let link = &mut self.links[index];
        if !link.takes_requests() || link.under_way.len() >= self.rules.in_flight_limit {
            return false;
        }
        let socket = link.socket;
        if !link.to_settle.is_empty() {
            self.settle_entities(now, socket);
            return true;
        }
        if link.role != Role::Current || self.outbox_rests_until.is_some() {
            return false;
        }
        let Some(outgoing) = self.outbox.pop() else {
            return false;
        };
        let body = outgoing.body.clone();
        self.send_request(now, socket, &body, What::Send(outgoing));
        true
    }

    pub(super) fn send_request(&mut self, now: Moment, socket: SocketId, body: &Body, what: What) {
        self.requests += 1;
        let id = self.requests;
        let give_up_at = now + self.rules.reply_timeout;
        if let Some(link) = self.link(socket) {
            link.under_way.insert(id, UnderWay { what, give_up_at });
            if let Some(open) = link.open_mut() {
                open.unanswered_since.get_or_insert(now);
            }
            let text = body.with_id(id);
            self.effects.push(Effect::Send { socket, text });
        }
    }

    pub(super) fn received(&mut self, now: Moment, socket: SocketId, text: String) {
        let Some(link) = self.link(socket) else {
            return;
        };
        let awaited_pong = link.open_mut().is_some_and(|open| {
            open.heard_at = now;
            open.unanswered_since = None;
            open.pong_by.take().is_some()
        });
        match Frame::read(text) {
            Frame::Reply { id, result } => self.answered(now, socket, id, result),
            Frame::Unaddressed(error) => {
                let id = self.the_only_request(socket).filter(|_| !awaited_pong);
                self.failed(now, socket, id, error);
            }
            Frame::Push(push) => self.pushed(socket, push),
            Frame::Disconnect {
                reconnect: true, ..
            } => self.break_off(now, socket),
            Frame::Disconnect { code, reason, .. } => {
                self.stop(StopReason::Disconnected { code, reason });
            }
            Frame::Nothing => {}
        }
    }

    /// Returns the only request under way, which is the one that an error without an `id` is about.
    fn the_only_request(&mut self, socket: SocketId) -> Option<u64> {
        let under_way = &self.link(socket)?.under_way;
        let (id, _) = under_way.first_key_value()?;
        (under_way.len() == 1).then_some(*id)
    }

    /// A request failed, or some request that the frame does not name.
    fn failed(&mut self, now: Moment, socket: SocketId, id: Option<u64>, error: RequestError) {
        if let RequestError::Server(error) = &error {
            for event_id in error.event_ids.iter().flatten() {
                self.repeats.is_new(event_id);
            }
        }
        if error.is_unknown_connection() {
            self.lost_by_the_server(now, socket, id);
        } else if let Some(id) = id {
            self.conclude(now, socket, id, Err(error));
        }
    }

    /// The server does not know the connection any more, so it did not carry out the request.
    fn lost_by_the_server(&mut self, now: Moment, socket: SocketId, id: Option<u64>) {
        let link = self.link(socket);
        let request = link
            .zip(id)
            .and_then(|(link, id)| link.under_way.remove(&id));
        if let Some(What::Send(outgoing)) = request.map(|request| request.what) {
            self.outbox.put_back(outgoing);
        }
        self.break_off(now, socket);
    }

    fn answered(
        &mut self,
        now: Moment,
        socket: SocketId,
        id: u64,
        result: Result<Reply, RequestError>,
    ) {
        match result {
            Ok(reply) => {
                for event_id in reply.event_ids() {
                    self.repeats.is_new(&event_id);
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
            .and_then(|link| link.under_way.remove(&id));
        let Some(request) = request else {
            return;
        };
        match request.what {
            What::Send(outgoing) => self.send_answered(now, outgoing, result),
            What::Subscribe(entities) => self.subscribe_answered(now, socket, entities, &result),
            What::Unsubscribe(entity) => self.unsubscribe_answered(socket, entity),
            What::Authenticate => self.authenticate_answered(now, socket, result.err()),
        }
    }

    fn send_answered(
        &mut self,
        now: Moment,
        outgoing: Outgoing,
        result: Result<Reply, RequestError>,
    ) {
        let request = outgoing.request;
        match result {
            Ok(reply) => {
                self.throttling.reset();
                let reply = Some(reply);
                self.effects.push(Effect::Resolve { request, reply });
            }
            Err(error) if error.is_throttled() => self.send_again_later(now, outgoing),
            Err(error) => self.reject(request, error),
        }
    }

    /// It was not carried out, and may be when less is sent.
    fn send_again_later(&mut self, now: Moment, outgoing: Outgoing) {
        self.outbox.put_back(outgoing);
        if self.outbox_rests_until.is_none() {
            let jitter = self.jitter();
            self.outbox_rests_until = Some(now + self.throttling.next(&self.rules, jitter));
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

    /// Gives up whatever has waited too long for its reply on a socket that goes on.
    pub(super) fn give_up_unanswered(&mut self, now: Moment, socket: SocketId) {
        loop {
            let Some(link) = self.link(socket) else {
                return;
            };
            let Some(oldest) = link.under_way.first_entry() else {
                return;
            };
            if oldest.get().give_up_at > now {
                return;
            }
            match oldest.remove().what {
                What::Send(outgoing) => self.give_back(outgoing),
                What::Subscribe(entities) => {
                    self.subscribe_answered(
                        now,
                        socket,
                        entities,
                        &Err(RequestError::OutcomeUnknown),
                    );
                }
                What::Unsubscribe(entity) => self.unsubscribe_answered(socket, entity),
                What::Authenticate => self.authenticate_later(now, socket),
            }
        }
    }

    /// Gives up requests whose socket is no more. Subscriptions and the token are made anew on the
    /// next one.
    pub(super) fn give_up_requests(&mut self, under_way: BTreeMap<u64, UnderWay>) {
        for (_, request) in under_way {
            if let What::Send(outgoing) = request.what {
                self.give_back(outgoing);
            }
        }
    }

    /// Nobody knows what became of a message: it goes out again only if that is safe.
    fn give_back(&mut self, outgoing: Outgoing) {
        if outgoing.safe_to_repeat {
            self.outbox.put_back(outgoing);
        } else {
            self.reject(outgoing.request, RequestError::OutcomeUnknown);
        }
    }
}
