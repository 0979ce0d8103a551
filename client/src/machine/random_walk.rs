//! The machine against a server and an application that do anything at any time. Whatever they do, some
//! things must hold, and once they behave, everything must be as the application wants it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use herald_shared::ids::EntityId;
use serde_json::{Value, json};

use super::{Body, Effect, Input, Machine, Moment, RequestNumber, Rules, SocketId};
use crate::ConnectionState;

const WALKS: u64 = 100;
const STEPS: usize = 400;
const IN_FLIGHT: usize = 5;

#[test]
fn whatever_happens_everything_is_as_it_should_be_in_the_end() {
    for seed in 0..WALKS {
        let mut walk = Walk::new(seed);
        walk.take(Input::Connect);
        for _ in 0..STEPS {
            walk.step();
        }
        walk.let_everything_settle();
        walk.everything_is_as_the_application_wants();
        walk.take(Input::Close {
            within: Duration::from_secs(1),
        });
        walk.pass(Duration::from_secs(2));
        walk.everything_has_an_outcome();
    }
}

struct Walk {
    seed: u64,
    random: fastrand::Rng,
    now: Moment,
    machine: Machine,
    state: Option<ConnectionState>,
    sockets: BTreeMap<SocketId, Socket>,
    /// The application's subscribers, and those who wait to become one.
    subscribers: HashMap<EntityId, usize>,
    /// Requests of the application without an outcome; subscribers with their entity.
    waiting: BTreeMap<RequestNumber, Option<EntityId>>,
    requests: u64,
    events: u64,
    delivered: HashSet<String>,
}

/// A socket, as the server sees it.
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

    fn concerns_what(&self, other: &Self) -> bool {
        self.entities
            .iter()
            .any(|entity| other.entities.contains(entity))
    }
}

impl Socket {
    /// A request that has waited too long is never answered, nor obeyed.
    fn forget_what_is_late(&mut self, now: Moment) {
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

    fn take(&mut self, input: Input) {
        let effects = self.machine.handle(self.now, input);
        for effect in effects {
            self.note(effect);
        }
        let wake = self.machine.wake();
        assert!(
            wake.is_none_or(|wake| wake > self.now),
            "seed {}",
            self.seed
        );
    }

    fn note(&mut self, effect: Effect) {
        match effect {
            Effect::State(state) => self.state = Some(state),
            Effect::AskToken { socket } => drop(self.sockets.entry(socket).or_default()),
            Effect::OpenSocket { socket, .. } => {
                self.sockets.entry(socket).or_default().stage = Stage::Handshake;
            }
            Effect::Send { socket, text } => self.note_request(socket, &text),
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
                // Whoever subscribed to it has failed.
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
            Effect::Ended { entity, .. } => drop(self.subscribers.remove(&entity)),
        }
    }

    fn note_request(&mut self, socket: SocketId, text: &str) {
        let seed = self.seed;
        let frame: Value = serde_json::from_str(text).expect("JSON");
        let socket = self
            .sockets
            .get_mut(&socket)
            .expect("sent on a socket that there is");
        assert!(
            socket.stage == Stage::Open,
            "seed {seed}: sent on a socket that is not open"
        );
        socket.forget_what_is_late(self.now);
        let Some(id) = frame["id"].as_str() else {
            return assert_eq!(frame["action"], "ping");
        };
        let request = Request::read(&frame, self.now);
        let mut others = socket.unanswered.values();
        assert!(
            !others.any(|other| request.concerns_what(other)),
            "seed {seed}: two requests about one of {:?}",
            request.entities
        );
        socket
            .unanswered
            .insert(id.parse().expect("a number"), request);
        // `authenticate` waits for nobody.
        assert!(
            socket.unanswered.len() <= IN_FLIGHT + 1,
            "seed {seed}: too many under way"
        );
    }

    fn step(&mut self) {
        match self.random.u8(0..100) {
            0..30 => self.somebody_answers(true),
            30..36 => self.something_breaks(),
            36..50 => self.subscribe(),
            50..60 => self.unsubscribe(),
            60..75 => self.send(),
            75..82 => self.push(),
            82..85 => {
                let hints = [Input::NetworkUp, Input::NetworkDown, Input::Foreground];
                let hint = self.random.choice(hints).expect("one of them");
                self.take(hint);
            }
            _ => {
                let time = Duration::from_millis(self.random.u64(0..15_000));
                self.pass(time);
            }
        }
    }

    /// Lets time pass as a driver would: the machine is woken when it asks to be.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(wake) = self.machine.wake().filter(|wake| *wake <= end) {
            self.now = wake;
            self.take(Input::Time);
        }
        self.now = end;
        self.take(Input::Time);
    }

    /// Some socket gets a little further: its token, its handshake, or a reply.
    fn somebody_answers(&mut self, badly_at_times: bool) {
        let Some(socket) = self
            .random
            .choice(self.sockets.keys().copied().collect::<Vec<_>>())
        else {
            return;
        };
        let bad = badly_at_times && self.random.u8(0..4) == 0;
        let stage = self.sockets[&socket].stage;
        match stage {
            Stage::Token if bad => {
                self.sockets.remove(&socket);
                self.take(Input::TokenFailed { socket });
            }
            Stage::Token => {
                let expires_in = self.random.bool().then_some(Duration::from_secs(100));
                let token = "token".to_owned();
                self.take(Input::Token {
                    socket,
                    token,
                    expires_in,
                });
            }
            Stage::Handshake if bad => {
                self.sockets.remove(&socket);
                let statuses = [None, Some(401), Some(429), Some(500)];
                let status = self.random.choice(statuses).expect("one of them");
                self.take(Input::Refused { socket, status });
            }
            Stage::Handshake => {
                self.sockets.entry(socket).or_default().stage = Stage::Open;
                self.take(Input::Opened { socket });
            }
            Stage::Open => self.reply(socket, badly_at_times, bad),
        }
    }

    fn reply(&mut self, id: SocketId, badly: bool, bad: bool) {
        let socket = self.sockets.entry(id).or_default();
        socket.forget_what_is_late(self.now);
        let Some(number) = self
            .random
            .choice(socket.unanswered.keys().copied().collect::<Vec<_>>())
        else {
            return;
        };
        let request = socket.unanswered.remove(&number).expect("it was there");
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
                    0 if several && badly => {
                        json!({"error": {"code": "forbidden", "message": "no"}})
                    }
                    1 if several && badly => json!(null),
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
        self.take(Input::Received {
            socket: id,
            text: frame.to_string(),
        });
    }

    fn something_breaks(&mut self) {
        if let Some(socket) = self
            .random
            .choice(self.sockets.keys().copied().collect::<Vec<_>>())
        {
            if self.sockets[&socket].stage == Stage::Token {
                return;
            }
            self.sockets.remove(&socket);
            self.take(Input::Closed { socket });
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
            subscribers.push((self.wait(Some(entity.clone())), entity));
        }
        self.take(Input::Subscribe { subscribers });
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
            // Nobody waits for it any more.
            self.waiting
                .retain(|_, waiting| waiting.as_ref() != Some(&entity));
        }
        self.take(Input::Unsubscribe { entity });
    }

    fn send(&mut self) {
        let request = self.wait(None);
        let safe_to_repeat = self.random.bool();
        let time_to_live = self.random.bool().then_some(Duration::from_secs(5));
        let body = Body::new(r#"{"action":"sendMessage","message":1}"#.to_owned());
        self.take(Input::Send {
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

    /// An event, old or new, arrives on some open socket.
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
        self.take(Input::Received { socket, text });
    }

    /// The server answers everything, and the application does nothing, until the connection is open.
    fn let_everything_settle(&mut self) {
        self.take(Input::NetworkUp);
        for _ in 0..3000 {
            self.somebody_answers(false);
            if self.random.u8(0..10) == 0 {
                self.pass(Duration::from_secs(1));
            }
            // It is always there.
            let open: Vec<_> = self
                .sockets
                .iter()
                .filter(|(_, socket)| socket.stage == Stage::Open)
                .map(|(id, _)| *id)
                .collect();
            for socket in open {
                let text = r#"{"type":"pong"}"#.to_owned();
                self.take(Input::Received { socket, text });
            }
            let quiet = self
                .sockets
                .values()
                .all(|socket| socket.stage == Stage::Open && socket.unanswered.is_empty());
            // The outbox may rest with messages in it.
            let quiet = quiet && self.waiting.is_empty() && self.sockets.len() == 1;
            if quiet && self.state == Some(ConnectionState::Open) {
                return;
            }
        }
        panic!("seed {}: never settled, {:?}", self.seed, self.state);
    }

    fn everything_is_as_the_application_wants(&self) {
        let wanted: BTreeSet<_> = self
            .subscribers
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(entity, _)| entity.clone())
            .collect();
        // The server may have more: an `unsubscribe` without a reply is not repeated.
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

    fn everything_has_an_outcome(&self) {
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
