//! Random walks against a server with a log: any interleaving of pushes, acknowledgements, syncs, renewals and
//! broken connections delivers the log in strictly increasing order and without a gap, or the application is
//! told of a loss, and only if the server had no proof.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use herald_shared::{
    ids::EntityId,
    log::{Epoch, Position},
    protocol::StartRequest,
};
use serde_json::{Value, json};

use super::{
    Effect, Input, Machine, Moment, RequestBody, RequestNumber, Rules, SocketId, Subscriber,
};

const WALKS: u64 = 300;
const STEPS: usize = 300;
const ENTITY: &str = "order-1";

#[test]
fn log_is_delivered_in_order_without_gap_or_the_loss_is_told() {
    let changes = walk_all(false);
    assert_eq!(changes, 0, "a client without a poll URL does not poll");
}

#[test]
fn log_is_delivered_in_order_while_the_client_changes_between_web_sockets_and_polling() {
    let changes = walk_all(true);
    assert!(changes > WALKS as usize, "the walks had {changes} changes");
}

/// Runs all walks, and returns the number of changes of the transport.
fn walk_all(polls: bool) -> usize {
    let (mut told, mut changes) = (0, 0);
    for seed in 0..WALKS {
        let mut walk = Walk::new(seed, polls);
        walk.start();
        for _ in 0..STEPS {
            walk.step();
        }
        walk.settle();
        told += walk.losses;
        changes += walk.changes;
    }
    assert!(told > WALKS as usize / 2, "the walks had {told} losses");
    changes
}

struct Walk {
    seed: u64,
    random: fastrand::Rng,
    now: Moment,
    machine: Machine,
    log: Log,
    /// The open sockets, with true if the server has stored the subscription.
    sockets: BTreeMap<SocketId, bool>,
    opening: Vec<SocketId>,
    /// True if the client may poll. Some handshakes then fail.
    polls: bool,
    /// The links that poll. They are among the open sockets, and never subscribed.
    polling: BTreeSet<SocketId>,
    /// The changes of the transport.
    changes: usize,
    /// The requests that the server has not handled.
    requests: Vec<(SocketId, Value)>,
    /// The frames on their way to the client. They arrive in any order.
    frames: Vec<(SocketId, Value)>,
    /// The position of the application. `None` before the acknowledgement.
    position: Option<Position>,
    losses: usize,
    /// The answer of a loss that the machine is handling.
    lost: Option<Position>,
    /// The ids of the messages that were delivered, and of those that were acknowledged as the client's own.
    delivered: BTreeSet<String>,
    own: BTreeSet<String>,
}

/// The server's log.
struct Log {
    epochs: u64,
    top: u64,
    /// The messages up to this offset are not kept any more.
    forgotten: u64,
    /// The offsets that were taken and never stored. True if a reader has filled the offset.
    holes: BTreeMap<u64, bool>,
    /// The offsets without a message, of all epochs.
    empty: BTreeSet<(Option<Epoch>, u64)>,
    /// The offsets of clients' messages, of all epochs.
    sent: BTreeSet<(Option<Epoch>, u64)>,
}

impl Log {
    fn epoch(&self) -> Option<Epoch> {
        let text = format!("epoch{:03}", self.epochs);
        (self.top > 0).then(|| Epoch::new(text).expect("an epoch"))
    }

    fn position(&self, offset: u64) -> Position {
        Position {
            epoch: self.epoch(),
            offset,
        }
    }

    fn frame(&self, offset: u64) -> Value {
        let id = format!("{}-{offset}", self.epochs);
        let kind = match self.sent.contains(&(self.epoch(), offset)) {
            true => "message",
            false => "Entity Updated",
        };
        json!({
            "type": kind, "entityId": ENTITY, "message": offset, "eventId": id,
            "epoch": self.epoch(), "offset": offset,
        })
    }

    /// Answers a reader, with `limit` messages at most.
    fn since(&mut self, since: &Position, limit: usize, fills: bool) -> Value {
        let comparable = since.epoch.is_none() || since.epoch == self.epoch();
        if !comparable || since.offset > self.top || since.offset < self.forgotten {
            let mut lost = json!(self.position(self.top));
            lost["top"] = json!(self.top);
            lost["recovered"] = json!(false);
            return lost;
        }
        if fills {
            self.holes.values_mut().for_each(|filled| *filled = true);
        }
        let (mut end, mut messages, mut more) = (since.offset, Vec::new(), false);
        for offset in since.offset + 1..=self.top {
            match self.holes.get(&offset) {
                Some(false) => break,
                Some(true) => {}
                None if messages.len() == limit => {
                    more = true;
                    break;
                }
                None => messages.push(self.frame(offset)),
            }
            end = offset;
        }
        let mut answer = json!(self.position(end));
        answer["top"] = json!(self.top);
        answer["recovered"] = json!(true);
        answer["messages"] = json!(messages);
        answer["more"] = json!(more);
        answer
    }
}

impl Walk {
    fn new(seed: u64, polls: bool) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut jitter = random.fork();
        let mut rules = Rules {
            renew_after: Duration::from_secs(random.u64(20..200)),
            ping_after: Duration::from_secs(30),
            ..Rules::default()
        };
        if polls {
            rules.poll = true;
            rules.obstacle_limit = 2;
            rules.obstacle_after = Duration::ZERO;
            rules.stable_after = Duration::from_secs(1);
            rules.web_socket_retry = Duration::from_secs(random.u64(1..20));
        }
        Self {
            seed,
            random,
            now: Duration::ZERO,
            machine: Machine::new(rules, move || jitter.f64()),
            log: Log {
                epochs: 0,
                top: 0,
                forgotten: 0,
                holes: BTreeMap::new(),
                empty: BTreeSet::new(),
                sent: BTreeSet::new(),
            },
            sockets: BTreeMap::new(),
            opening: Vec::new(),
            polls,
            polling: BTreeSet::new(),
            changes: 0,
            requests: Vec::new(),
            frames: Vec::new(),
            position: None,
            losses: 0,
            lost: None,
            delivered: BTreeSet::new(),
            own: BTreeSet::new(),
        }
    }

    fn start(&mut self) {
        for _ in 0..self.random.u64(0..5) {
            self.publish();
        }
        self.input(Input::Connect);
        let subscriber = Subscriber {
            request: RequestNumber(1),
            entity: EntityId::new(ENTITY).expect("an id"),
            start: StartRequest::Live,
            presence: false,
        };
        self.input(Input::Subscribe {
            subscribers: vec![subscriber],
        });
    }

    fn step(&mut self) {
        match self.random.u32(0..100) {
            0..30 => self.publish(),
            30..60 => self.receive_any(),
            60..80 => self.handle_any(),
            80..90 => self.pass(3000),
            90..94 => {
                let fails = self.polls && self.random.bool();
                self.open_all(fails);
            }
            94..96 => self.send_own(),
            96..98 => self.drop_any(),
            98 => self.log.forgotten = self.random.u64(self.log.forgotten..=self.log.top),
            _ => self.begin_epoch(),
        }
    }

    fn input(&mut self, input: Input) {
        let effects = self.machine.handle(self.now, input);
        for effect in effects {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::OpenSocket { socket, .. } => self.opening.push(socket),
            Effect::CloseSocket { socket } => self.forget(socket),
            Effect::Send { socket, text } => {
                let frame: Value = serde_json::from_str(&text).expect("JSON");
                if frame["action"] == "ping" {
                    self.frames.push((socket, json!({"type": "pong"})));
                } else {
                    self.requests.push((socket, frame));
                }
            }
            Effect::Post { socket, text, .. } => {
                self.polling.insert(socket);
                self.sockets.insert(socket, false);
                let frame = serde_json::from_str(&text).expect("JSON");
                self.requests.push((socket, frame));
            }
            Effect::Transport(_) => self.changes += 1,
            Effect::Resolve {
                request: RequestNumber(1),
                position,
                ..
            } => self.position = position,
            Effect::Resolve {
                reply: Some(reply), ..
            } => {
                for id in reply.event_ids() {
                    self.assert_once(&id);
                    self.own.insert(id);
                }
            }
            Effect::Deliver { push, .. } => {
                let id = push.event_id().expect("an id").to_owned();
                self.assert_once(&id);
                self.delivered.insert(id);
                let at = push.position().expect("a position").clone();
                self.assert_follows(&at);
                self.position = Some(at);
            }
            Effect::Lost { position, .. } => {
                let expected = self.lost.take();
                assert_eq!(position, expected, "seed {}", self.seed);
                let has_all = |present: &Position, end: &Position| {
                    present.epoch == end.epoch && present.offset >= end.offset
                };
                let known = self.position.as_ref().zip(position.as_ref());
                assert!(
                    !known.is_some_and(|(present, end)| has_all(present, end)),
                    "seed {}: {position:?} is no loss",
                    self.seed
                );
                self.losses += 1;
                self.position = position;
            }
            Effect::Resolve { .. }
            | Effect::Reject { .. }
            | Effect::State(_)
            | Effect::AskToken { .. }
            | Effect::Presence { .. }
            | Effect::Ended { .. } => {}
        }
    }

    /// Fails if a message was delivered before, or is the client's own.
    fn assert_once(&self, id: &str) {
        let seen = self.delivered.contains(id) || self.own.contains(id);
        assert!(!seen, "seed {}: {id} is a repeat", self.seed);
    }

    fn assert_follows(&self, next: &Position) {
        let present = self.position.as_ref().expect("acknowledged before");
        let comparable = present.epoch.is_none() || present.epoch == next.epoch;
        let mut between = present.offset + 1..next.offset;
        let is_empty = |offset| self.log.empty.contains(&(next.epoch.clone(), offset));
        assert!(
            comparable && next.offset > present.offset && between.all(is_empty),
            "seed {}: {next:?} after {present:?}",
            self.seed
        );
    }

    fn publish(&mut self) {
        self.log.top += 1;
        let offset = self.log.top;
        if self.random.u32(0..20) == 0 {
            self.log.holes.insert(offset, false);
            self.log.empty.insert((self.log.epoch(), offset));
            return;
        }
        self.post(offset, None);
    }

    /// Posts a message to every subscribed socket but the sender's. Some posts are lost, others repeated.
    fn post(&mut self, offset: u64, sender: Option<SocketId>) {
        let frame = self.log.frame(offset);
        for (socket, subscribed) in &self.sockets {
            let posts = [0, 1, 1, 1, 1, 1, 1, 2][self.random.usize(0..8)];
            for _ in 0..posts {
                if *subscribed && sender != Some(*socket) {
                    self.frames.push((*socket, frame.clone()));
                }
            }
        }
    }

    fn receive_any(&mut self) {
        if !self.frames.is_empty() {
            let index = self.random.usize(0..self.frames.len());
            let (socket, frame) = self.frames.swap_remove(index);
            self.lost = lost_in(&frame);
            let position = self.position.clone();
            let asked = frame["asked"].clone();
            let text = frame.to_string();
            match self.polling.contains(&socket) {
                true => self.answer_post(socket, &frame, Some(200), text),
                false => self.input(Input::Received { socket, text }),
            }
            // A loss that was not told is none: the position was at its end, perhaps after empty offsets. If the
            // position moved after the request, it is compared again.
            if let Some(end) = self.lost.take()
                && let Some(position) = position.filter(|_| self.sockets.contains_key(&socket))
                && asked == json!(position)
            {
                let mut between = position.offset + 1..=end.offset;
                let is_empty = |offset| self.log.empty.contains(&(end.epoch.clone(), offset));
                assert!(
                    position.epoch == end.epoch && between.all(is_empty),
                    "seed {}: {end:?} was not told at {position:?}",
                    self.seed
                );
            }
        }
    }

    /// Answers the request that has the `id` of a frame.
    fn answer_post(&mut self, socket: SocketId, frame: &Value, status: Option<u16>, text: String) {
        let id = frame["id"].as_str().expect("an id");
        self.input(Input::Answered {
            socket,
            request: id.parse().expect("a number"),
            status,
            text,
        });
    }

    fn handle_any(&mut self) {
        if !self.requests.is_empty() {
            let index = self.random.usize(0..self.requests.len());
            let (socket, request) = self.requests.swap_remove(index);
            if self.sockets.contains_key(&socket) {
                let reply = self.reply(socket, &request);
                self.frames.push((socket, reply));
            }
        }
    }

    fn reply(&mut self, socket: SocketId, request: &Value) -> Value {
        let action = request["action"].as_str().expect("an action");
        let mut reply = match action {
            "subscribe" => {
                self.sockets.insert(socket, true);
                match request.get("recover") {
                    Some(since) => self.answer(since, false),
                    None => {
                        let mut live = json!(self.log.position(self.log.top));
                        live["top"] = json!(self.log.top);
                        live
                    }
                }
            }
            "history" => self.answer(&request["since"], true),
            "sync" if self.random.u32(0..10) == 0 => json!({
                "type": "error", "code": "throttled", "message": "m", "retryable": true,
            }),
            "sync" => {
                let since = &request["entities"][ENTITY];
                if *since == json!({}) {
                    json!({"entities": {ENTITY: self.log.position(self.log.top)}})
                } else if since.is_null() || *since == json!(self.log.position(self.log.top)) {
                    json!({})
                } else {
                    json!({"entities": {ENTITY: self.answer(since, true)}})
                }
            }
            "sendMessage" => {
                self.log.top += 1;
                let offset = self.log.top;
                self.log.empty.insert((self.log.epoch(), offset));
                self.log.sent.insert((self.log.epoch(), offset));
                self.post(offset, Some(socket));
                let mut ack = json!(self.log.position(offset));
                ack["eventId"] = self.log.frame(offset)["eventId"].clone();
                ack
            }
            other => panic!("unknown action: {other}"),
        };
        if reply.get("type").is_none() {
            reply["type"] = json!("ack");
        }
        reply["action"] = json!(action);
        reply["id"] = request["id"].clone();
        // For the test alone: the position that the request named.
        let named = [
            &request["recover"],
            &request["since"],
            &request["entities"][ENTITY],
        ];
        reply["asked"] = json!(named.into_iter().find(|position| position.is_object()));
        reply
    }

    fn answer(&mut self, since: &Value, may_fill: bool) -> Value {
        let since = serde_json::from_value(since.clone()).expect("a position");
        let (limit, fills) = (self.random.usize(1..6), may_fill && self.random.bool());
        self.log.since(&since, limit, fills)
    }

    fn send_own(&mut self) {
        // Not during a renewal, when the server sends it back on the other socket.
        if self.position.is_some() && self.sockets.len() == 1 && self.opening.is_empty() {
            let frame = json!({"action": "sendMessage", "entityId": ENTITY, "message": 1});
            self.input(Input::Send {
                request: RequestNumber(2),
                body: RequestBody::new(frame.to_string()),
                safe_to_repeat: false,
                time_to_live: None,
            });
        }
    }

    fn begin_epoch(&mut self) {
        self.log.epochs += 1;
        self.log.top = 0;
        self.log.forgotten = 0;
        self.log.holes.clear();
        self.publish();
    }

    fn open_all(&mut self, fails: bool) {
        for socket in std::mem::take(&mut self.opening) {
            if fails {
                self.input(Input::Failed { socket });
                continue;
            }
            self.sockets.insert(socket, false);
            self.input(Input::Opened { socket });
        }
    }

    fn drop_any(&mut self) {
        let sockets: Vec<_> = self.sockets.keys().copied().collect();
        if let Some(socket) = self.random.choice(sockets) {
            if self.polling.contains(&socket) {
                return self.drop_post(socket);
            }
            self.forget(socket);
            self.input(Input::Closed {
                socket,
                close_frame: false,
            });
        }
    }

    /// Leaves a request without an answer.
    fn drop_post(&mut self, socket: SocketId) {
        let mut requests = self.requests.iter();
        if let Some(index) = requests.position(|(of, _)| *of == socket) {
            let (_, request) = self.requests.swap_remove(index);
            self.answer_post(socket, &request, None, String::new());
        }
    }

    fn forget(&mut self, closed: SocketId) {
        self.sockets.remove(&closed);
        self.opening.retain(|socket| *socket != closed);
        self.requests.retain(|(socket, _)| *socket != closed);
        self.frames.retain(|(socket, _)| *socket != closed);
    }

    fn pass(&mut self, longest: u64) {
        self.now += Duration::from_millis(self.random.u64(0..longest));
        self.input(Input::Time);
    }

    /// Lets the server behave until the client has everything.
    fn settle(&mut self) {
        for _ in 0..60 {
            self.open_all(false);
            while !self.requests.is_empty() {
                self.handle_any();
            }
            while !self.frames.is_empty() {
                self.receive_any();
            }
            self.pass(4000);
        }
        let position = self.position.clone().expect("acknowledged");
        let top = self.log.top;
        let mut after = position.offset + 1..=top;
        let is_empty = |offset| self.log.empty.contains(&(position.epoch.clone(), offset));
        assert!(
            position.epoch == self.log.epoch() && after.all(is_empty),
            "seed {}: {position:?} is not the end, {top}",
            self.seed
        );
    }
}

/// Returns the position of a loss in a reply.
fn lost_in(frame: &Value) -> Option<Position> {
    let answers = [frame, &frame["entities"][ENTITY]];
    let lost = answers
        .into_iter()
        .find(|answer| answer["recovered"] == false)?;
    serde_json::from_value(lost.clone()).ok()
}
