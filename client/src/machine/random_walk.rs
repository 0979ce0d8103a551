//! Random walks: the machine against a server and an application that act at random. Invariants hold at every
//! step, and once the server works again, the machine reaches the state that the application wants.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use herald_shared::{ids::EntityId, protocol::StartRequest};
use serde_json::{Value, json};

use super::{
    Effect, Input, Machine, Moment, RequestBody, RequestNumber, Rules, SocketId, Subscriber,
};
use crate::ConnectionState;

const WALKS: u64 = 100;
const STEPS: usize = 400;
const IN_FLIGHT: usize = 5;

#[test]
fn random_walks_keep_the_invariants_and_settle_in_the_wanted_state() {
    for seed in 0..WALKS {
        let mut walk = Walk::new(seed);
        walk.input(Input::Connect);
        for _ in 0..STEPS {
            walk.step();
        }
        walk.settle();
        walk.assert_wanted_state();
        walk.input(Input::Close {
            within: Duration::from_secs(1),
        });
        walk.pass(Duration::from_secs(2));
        walk.assert_all_requests_have_an_outcome();
    }
}

struct Walk {
    seed: u64,
    random: fastrand::Rng,
    now: Moment,
    machine: Machine,
    state: Option<ConnectionState>,
    sockets: BTreeMap<SocketId, Socket>,
    /// The application's subscribers, with those that wait for their acknowledgement.
    subscribers: HashMap<EntityId, usize>,
    /// The application's requests without an outcome; those of subscribers with their entity.
    waiting: BTreeMap<RequestNumber, Option<EntityId>>,
    requests: u64,
    events: u64,
    delivered: HashSet<String>,
}

/// The server's view of a socket.
#[derive(Default)]
struct Socket {
    stage: Stage,
    /// Requests without a reply, by id.
    unanswered: BTreeMap<u64, Request>,
    subscribed: BTreeSet<EntityId>,
}

struct Request {
    action: String,
    entities: Vec<EntityId>,
    sent_at: Moment,
}

impl Request {
    fn read(frame: &Value, sent_at: Moment) -> Self {
        let one = frame["entityId"].as_str();
        let several = frame["entities"].as_object().into_iter().flatten();
        let names = one
            .into_iter()
            .chain(several.map(|(name, _)| name.as_str()));
        Self {
            action: frame["action"].as_str().expect("an action").to_owned(),
            entities: names
                .map(|name| EntityId::new(name).expect("an id"))
                .collect(),
            sent_at,
        }
    }

    fn shares_an_entity_with(&self, other: &Self) -> bool {
        self.entities
            .iter()
            .any(|entity| other.entities.contains(entity))
    }
}

impl Socket {
    /// Drops the requests that timed out: the server neither answers them nor carries them out.
    fn drop_timed_out(&mut self, now: Moment) {
        let late = |request: &Request| now - request.sent_at >= Rules::default().reply_timeout;
        self.unanswered.retain(|_, request| !late(request));
    }
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Stage {
    #[default]
    Token,
    Handshake,
    Open,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let rules = Rules {
            token: random.bool(),
            refusal_limit: u32::MAX,
            in_flight_limit: IN_FLIGHT,
            outbox_limit: 10,
            renew_after: Duration::from_secs(120),
            ..Rules::default()
        };
        let mut jitter = random.fork();
        Self {
            seed,
            random,
            now: Duration::ZERO,
            machine: Machine::new(rules, move || jitter.f64()),
            state: None,
            sockets: BTreeMap::new(),
            subscribers: HashMap::new(),
            waiting: BTreeMap::new(),
            requests: 0,
            events: 0,
            delivered: HashSet::new(),
        }
    }

    fn input(&mut self, input: Input) {
        let effects = self.machine.handle(self.now, input);
        for effect in effects {
            self.perform(effect);
        }
        let wake = self.machine.wake();
        assert!(
            wake.is_none_or(|wake| wake > self.now),
            "seed {}",
            self.seed
        );
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::State(state) => self.state = Some(state),
            Effect::AskToken { socket } => drop(self.sockets.entry(socket).or_default()),
            Effect::OpenSocket { socket, .. } => {
                self.sockets.entry(socket).or_default().stage = Stage::Handshake;
            }
            Effect::Send { socket, text } => self.receive(socket, &text),
            Effect::CloseSocket { socket } => {
                let closed = self.sockets.remove(&socket);
                assert!(closed.is_some(), "seed {}: closed twice", self.seed);
            }
            Effect::Resolve { request, .. } => {
                let waited = self.waiting.remove(&request);
                assert!(
                    waited.is_some(),
                    "seed {}: {request:?} has two outcomes",
                    self.seed
                );
            }
            Effect::Reject { request, .. } => {
                let waited = self.waiting.remove(&request);
                let entity = waited
                    .unwrap_or_else(|| panic!("seed {}: {request:?} has two outcomes", self.seed));
                // The subscription failed for all its subscribers.
                entity.and_then(|entity| self.subscribers.remove(&entity));
            }
            Effect::Deliver { push, .. } => {
                let event_id = push.event_id().expect("an id").to_owned();
                assert!(
                    self.delivered.insert(event_id),
                    "seed {}: delivered twice",
                    self.seed
                );
            }
            Effect::Lost { .. } => panic!("seed {}: the server has no logs", self.seed),
            Effect::Presence { .. } => panic!("seed {}: nobody asks for presence", self.seed),
            Effect::Ended { entity, .. } => drop(self.subscribers.remove(&entity)),
        }
    }

    fn receive(&mut self, socket: SocketId, text: &str) {
        let seed = self.seed;
        let frame: Value = serde_json::from_str(text).expect("JSON");
        let socket = self
            .sockets
            .get_mut(&socket)
            .expect("sent on a socket that exists");
        assert!(
            socket.stage == Stage::Open,
            "seed {seed}: sent on a socket that is not open"
        );
        socket.drop_timed_out(self.now);
        let Some(id) = frame["id"].as_str() else {
            return assert_eq!(frame["action"], "ping");
        };
        let request = Request::read(&frame, self.now);
        let mut others = socket.unanswered.values();
        assert!(
            !others.any(|other| request.shares_an_entity_with(other)),
            "seed {seed}: two requests about one of {:?}",
            request.entities
        );
        socket
            .unanswered
            .insert(id.parse().expect("a number"), request);
        // `authenticate` does not count towards the limit.
        assert!(
            socket.unanswered.len() <= IN_FLIGHT + 1,
            "seed {seed}: too many in flight"
        );
    }

    fn step(&mut self) {
        match self.random.u8(0..100) {
            0..30 => self.advance_a_socket(true),
            30..36 => self.break_a_socket(),
            36..50 => self.subscribe(),
            50..60 => self.unsubscribe(),
            60..75 => self.send(),
            75..82 => self.push(),
            82..85 => {
                let hints = [Input::NetworkUp, Input::NetworkDown, Input::Foreground];
                let hint = self.random.choice(hints).expect("one of them");
                self.input(hint);
            }
            _ => {
                let time = Duration::from_millis(self.random.u64(0..15_000));
                self.pass(time);
            }
        }
    }

    /// Lets time pass as a driver does: wakes the machine when it asks to be woken.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(wake) = self.machine.wake().filter(|wake| *wake <= end) {
            self.now = wake;
            self.input(Input::Time);
        }
        self.now = end;
        self.input(Input::Time);
    }

    /// Advances a random socket by one step: its token, its handshake, or a reply.
    fn advance_a_socket(&mut self, with_failures: bool) {
        let Some(socket) = self
            .random
            .choice(self.sockets.keys().copied().collect::<Vec<_>>())
        else {
            return;
        };
        let bad = with_failures && self.random.u8(0..4) == 0;
        let stage = self.sockets[&socket].stage;
        match stage {
            Stage::Token if bad => {
                self.sockets.remove(&socket);
                self.input(Input::TokenFailed { socket });
            }
            Stage::Token => {
                let expires_in = self.random.bool().then_some(Duration::from_secs(100));
                let token = "token".to_owned();
                self.input(Input::Token {
                    socket,
                    token,
                    expires_in,
                });
            }
            Stage::Handshake if bad => {
                self.sockets.remove(&socket);
                let statuses = [None, Some(401), Some(429), Some(500)];
                let status = self.random.choice(statuses).expect("one of them");
                self.input(Input::Refused { socket, status });
            }
            Stage::Handshake => {
                self.sockets.entry(socket).or_default().stage = Stage::Open;
                self.input(Input::Opened { socket });
            }
            Stage::Open => self.reply(socket, with_failures, bad),
        }
    }

    fn reply(&mut self, id: SocketId, with_failures: bool, bad: bool) {
        let socket = self.sockets.entry(id).or_default();
        socket.drop_timed_out(self.now);
        let Some(number) = self
            .random
            .choice(socket.unanswered.keys().copied().collect::<Vec<_>>())
        else {
            return;
        };
        let request = socket.unanswered.remove(&number).expect("a request");
        let Request {
            action, entities, ..
        } = request;
        let frame = if bad && action != "unsubscribe" {
            let codes = [
                ("throttled", true),
                ("internal", true),
                ("forbidden", false),
                ("bad_request", false),
                ("unknown_connection", false),
            ];
            let (code, retryable) = self.random.choice(codes).expect("one of them");
            json!({"type": "error", "id": number.to_string(), "code": code, "message": "no", "retryable": retryable})
        } else {
            let mut results = json!({});
            let several = entities.len() > 1;
            for entity in entities {
                // Of several, some may be refused, or have no result.
                let result = match self.random.u8(0..6) {
                    0 if several && with_failures => {
                        json!({"error": {"code": "forbidden", "message": "no"}})
                    }
                    1 if several && with_failures => json!(null),
                    _ => json!({}),
                };
                let stored = result == json!({});
                results[entity.as_str()] = result;
                match action.as_str() {
                    "subscribe" if stored => drop(socket.subscribed.insert(entity)),
                    "subscribe" => {}
                    _ => drop(socket.subscribed.remove(&entity)),
                }
            }
            json!({"type": "ack", "action": action, "id": number.to_string(), "entities": results})
        };
        self.input(Input::Received {
            socket: id,
            text: frame.to_string(),
        });
    }

    fn break_a_socket(&mut self) {
        if let Some(socket) = self
            .random
            .choice(self.sockets.keys().copied().collect::<Vec<_>>())
        {
            if self.sockets[&socket].stage == Stage::Token {
                return;
            }
            self.sockets.remove(&socket);
            self.input(Input::Closed { socket });
        }
    }

    fn any_entity(&mut self) -> EntityId {
        let number = self.random.u8(0..8);
        EntityId::new(format!("entity-{number}")).expect("an id")
    }

    fn subscribe(&mut self) {
        let mut subscribers = Vec::new();
        for _ in 0..self.random.u8(1..4) {
            let entity = self.any_entity();
            *self.subscribers.entry(entity.clone()).or_default() += 1;
            subscribers.push(Subscriber {
                request: self.wait(Some(entity.clone())),
                entity,
                start: StartRequest::Live,
                presence: false,
            });
        }
        self.input(Input::Subscribe { subscribers });
    }

    fn unsubscribe(&mut self) {
        let entity = self.any_entity();
        let Some(subscribers) = self
            .subscribers
            .get_mut(&entity)
            .filter(|count| **count > 0)
        else {
            return;
        };
        *subscribers -= 1;
        if *subscribers == 0 {
            // Its last subscriber no longer waits.
            self.waiting
                .retain(|_, waiting| waiting.as_ref() != Some(&entity));
        }
        self.input(Input::Unsubscribe {
            entity,
            presence: false,
        });
    }

    fn send(&mut self) {
        let request = self.wait(None);
        let safe_to_repeat = self.random.bool();
        let time_to_live = self.random.bool().then_some(Duration::from_secs(5));
        let body = RequestBody::new(r#"{"action":"sendMessage","message":1}"#.to_owned());
        self.input(Input::Send {
            request,
            body,
            safe_to_repeat,
            time_to_live,
        });
    }

    fn wait(&mut self, entity: Option<EntityId>) -> RequestNumber {
        self.requests += 1;
        let request = RequestNumber(self.requests);
        self.waiting.insert(request, entity);
        request
    }

    /// Delivers an event, new or repeated, on a random open socket.
    fn push(&mut self) {
        let open = self
            .sockets
            .iter()
            .filter(|(_, socket)| socket.stage == Stage::Open);
        let Some(socket) = self
            .random
            .choice(open.map(|(id, _)| *id).collect::<Vec<_>>())
        else {
            return;
        };
        self.events += 1;
        let number = self.events.saturating_sub(self.random.u64(0..3));
        let kind = self
            .random
            .choice(["message", "Broadcast"])
            .expect("one of them");
        let text = json!({"type": kind, "message": 1, "eventId": number.to_string()}).to_string();
        self.input(Input::Received { socket, text });
    }

    /// Answers every request, with an idle application, until the connection is open.
    fn settle(&mut self) {
        self.input(Input::NetworkUp);
        for _ in 0..3000 {
            self.advance_a_socket(false);
            if self.random.u8(0..10) == 0 {
                self.pass(Duration::from_secs(1));
            }
            // Every ping is answered.
            let open: Vec<_> = self
                .sockets
                .iter()
                .filter(|(_, socket)| socket.stage == Stage::Open)
                .map(|(id, _)| *id)
                .collect();
            for socket in open {
                let text = r#"{"type":"pong"}"#.to_owned();
                self.input(Input::Received { socket, text });
            }
            let quiet = self
                .sockets
                .values()
                .all(|socket| socket.stage == Stage::Open && socket.unanswered.is_empty());
            // The outbox may be paused with messages in it.
            let quiet = quiet && self.waiting.is_empty() && self.sockets.len() == 1;
            if quiet && self.state == Some(ConnectionState::Open) {
                return;
            }
        }
        panic!("seed {}: never settled, {:?}", self.seed, self.state);
    }

    fn assert_wanted_state(&self) {
        let wanted: BTreeSet<_> = self
            .subscribers
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(entity, _)| entity.clone())
            .collect();
        // The server may have more subscriptions: an `unsubscribe` without a reply is not repeated.
        let subscribed = self
            .sockets
            .values()
            .next()
            .map(|socket| &socket.subscribed);
        assert!(
            subscribed.is_some_and(|subscribed| subscribed.is_superset(&wanted)),
            "seed {}: {wanted:?}",
            self.seed
        );
        assert!(
            self.waiting.is_empty(),
            "seed {}: {:?}",
            self.seed,
            self.waiting
        );
    }

    fn assert_all_requests_have_an_outcome(&self) {
        assert!(
            matches!(self.state, Some(ConnectionState::Stopped(_))),
            "seed {}: {:?}",
            self.seed,
            self.state
        );
        assert!(
            self.waiting.is_empty() && self.sockets.is_empty(),
            "seed {}",
            self.seed
        );
    }
}
