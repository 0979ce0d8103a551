//! Random walks of presence: a server whose set changes at random, over connections that lose, repeat and reorder its
//! frames. Once they are well again, the client has the server's set.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use herald_shared::{ids::EntityId, protocol::StartRequest};
use serde_json::{Value, json};

use super::{Effect, Input, Machine, Moment, RequestNumber, Rules, SocketId, Subscriber};
use crate::Presence;

const WALKS: u64 = 300;
const STEPS: usize = 300;

/// The most users of a frame with members.
const LIMIT: usize = 4;

#[test]
fn set_of_the_client_is_that_of_the_server_once_frames_arrive_again() {
    for seed in 0..WALKS {
        let mut walk = Walk::new(seed);
        for _ in 0..STEPS {
            walk.step();
        }
        walk.settle();
        assert_eq!(walk.told.as_deref(), Some(&walk.truth()), "seed {seed}");
    }
}

struct Walk {
    random: fastrand::Rng,
    now: Moment,
    machine: Machine,
    /// The users of the server, and the version of the set.
    users: BTreeSet<u8>,
    version: u64,
    /// The open connection, or the one that opens.
    socket: Option<SocketId>,
    is_open: bool,
    /// The frames on their way to the client.
    frames: VecDeque<Value>,
    /// The set that the application was told.
    told: Option<Arc<Presence>>,
    in_flight: usize,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut jitter = random.fork();
        let rules = Rules {
            held_limit: 3,
            // An answer may be on its way for any time.
            reply_timeout: Duration::MAX / 4,
            unanswered_after: Duration::MAX / 4,
            ..Rules::default()
        };
        let mut walk = Self {
            random,
            now: Moment::ZERO,
            machine: Machine::new(rules, move || jitter.f64()),
            users: BTreeSet::new(),
            version: 0,
            socket: None,
            is_open: false,
            frames: VecDeque::new(),
            told: None,
            in_flight: 0,
        };
        walk.input(Input::Connect);
        let subscriber = Subscriber {
            request: RequestNumber(1),
            entity: EntityId::new("room").expect("an id"),
            start: StartRequest::Live,
            presence: true,
        };
        walk.input(Input::Subscribe {
            subscribers: vec![subscriber],
        });
        walk
    }

    fn input(&mut self, input: Input) {
        for effect in self.machine.handle(self.now, input) {
            match effect {
                Effect::OpenSocket { socket, .. } => self.socket = Some(socket),
                Effect::CloseSocket { .. } => self.lose_connection(),
                Effect::Send { text, .. } => self.answer(&text),
                Effect::Presence { told, .. } => {
                    assert_ne!(self.told, told.presence, "told without a difference");
                    self.told = told.presence;
                }
                _ => {}
            }
        }
    }

    fn lose_connection(&mut self) {
        self.socket = None;
        self.is_open = false;
        self.in_flight = 0;
        self.frames.clear();
    }

    /// Answers a request with the set at the time of the request. The answer arrives later.
    fn answer(&mut self, text: &str) {
        let request: Value = serde_json::from_str(text).expect("JSON");
        let (id, action) = (&request["id"], &request["action"]);
        if action == "ping" {
            return self.frames.push_back(json!({"type": "pong"}));
        }
        self.in_flight += 1;
        assert_eq!(self.in_flight, 1, "one request at a time");
        let fails = action == "presence" && self.random.u8(0..4) == 0;
        self.frames.push_back(match fails {
            true => json!({"type": "error", "id": id, "code": "throttled", "message": "later", "retryable": true}),
            false => json!({"type": "ack", "action": action, "id": id, "entityId": "room", "presence": self.snapshot()}),
        });
    }

    fn snapshot(&self) -> Value {
        let mut snapshot = json!({"version": self.version, "count": self.users.len()});
        if self.users.len() <= LIMIT {
            snapshot["members"] = self.users.iter().map(|user| member(*user)).collect();
        }
        snapshot
    }

    fn step(&mut self) {
        match self.random.u8(0..20) {
            0..5 => self.change(),
            5..10 => self.deliver(0),
            10..12 => {
                let place = self.random.usize(0..4);
                self.deliver(place);
            }
            12 => self.lose_or_repeat_a_change(),
            13 if self.is_open && self.random.bool() => {
                let socket = self.socket.expect("a connection");
                self.lose_connection();
                self.input(Input::Closed {
                    socket,
                    close_frame: false,
                });
            }
            _ => {
                let time = Duration::from_millis(self.random.u64(0..2_000));
                self.pass(time);
            }
        }
        self.open();
    }

    fn open(&mut self) {
        if let Some(socket) = self.socket.filter(|_| !self.is_open) {
            self.is_open = true;
            self.input(Input::Opened { socket });
        }
    }

    /// Lets a user join or leave, and tells the client.
    fn change(&mut self) {
        let user = self.random.u8(0..7);
        let joins = self.users.insert(user);
        if !joins {
            self.users.remove(&user);
        }
        self.version += 1;
        let mut frame = self.snapshot();
        frame["type"] = json!("presence");
        frame["entityId"] = json!("room");
        if frame["members"].is_array() {
            let (joined, left) = match joins {
                true => (json!([member(user)]), json!([])),
                false => (json!([]), json!([member(user)])),
            };
            frame["joined"] = joined;
            frame["left"] = left;
        }
        if self.is_open {
            self.frames.push_back(frame);
        }
    }

    fn lose_or_repeat_a_change(&mut self) {
        let Some(index) = self.frames.len().checked_sub(1) else {
            return;
        };
        let place = self.random.usize(0..=index);
        if self.frames[place]["type"] != "presence" {
        } else if self.random.bool() {
            self.frames.remove(place);
        } else {
            self.frames.push_back(self.frames[place].clone());
        }
    }

    /// Delivers the frame at a place of those that are on their way.
    fn deliver(&mut self, place: usize) {
        let place = place.min(self.frames.len().saturating_sub(1));
        let Some((frame, socket)) = self.frames.remove(place).zip(self.socket) else {
            return;
        };
        if frame.get("id").is_some() {
            self.in_flight -= 1;
        }
        let text = frame.to_string();
        self.input(Input::Received { socket, text });
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(wake) = self.machine.wake().filter(|wake| *wake <= end) {
            self.now = wake;
            self.input(Input::Time);
            self.open();
        }
        self.now = end;
        self.input(Input::Time);
    }

    /// Delivers everything, one change more included, until nothing is asked any more.
    fn settle(&mut self) {
        for _ in 0..5 {
            self.pass(Duration::from_millis(1_500));
            self.open();
        }
        self.change();
        for _ in 0..200 {
            self.deliver(0);
            self.pass(Duration::from_millis(500));
            self.open();
        }
    }

    fn truth(&self) -> Presence {
        let members = self.users.iter().map(|user| {
            let name = format!("user-{user}");
            (name.clone(), crate::Member::new(name, 1, None))
        });
        let members: BTreeMap<_, _> = members.collect();
        let count = members.len();
        Presence::new(count as u64, (count <= LIMIT).then_some(members))
    }
}

fn member(user: u8) -> Value {
    json!({"userId": format!("user-{user}"), "connections": 1})
}
