//! A client that keeps the rules of continuity, over raw sockets that it drops at random. It shares no code
//! with Herald's clients.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use fastrand::Rng;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    time::{Instant, interval, sleep},
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The time after which a client compares all positions although it misses nothing that it knows of.
const IDLE: Duration = Duration::from_secs(2);

/// The state of the test that all clients share.
#[derive(Default)]
pub struct Shared {
    /// True once a client drops no socket any more, and ends once it is current.
    pub ending: AtomicBool,
    /// The number of acknowledged subscribes.
    pub subscribes: AtomicUsize,
    /// The number of clients that have sent all their messages.
    pub done_sending: AtomicUsize,
}

/// A client and all that it noted.
pub struct Client {
    url: String,
    shared: Arc<Shared>,
    random: Rng,
    logs: BTreeMap<String, Log>,
    messages: Messages,
    /// The offsets that a request named, by its id.
    asked: HashMap<String, BTreeMap<String, u64>>,
    requests: usize,
    /// The time to compare the positions: soon after a gap.
    compare_at: Instant,
    has_gap: bool,
    pub counts: Counts,
}

/// One log as the client has it.
#[derive(Default)]
pub struct Log {
    epoch: Option<Value>,
    offset: u64,
    /// The pushes that arrived ahead of their turn, by offset.
    held: BTreeMap<u64, (Value, String)>,
    seen: HashSet<String>,
    /// The offset and event id of each message that the application got, in order.
    pub delivered: Vec<(u64, String)>,
    pub lost: Vec<Lost>,
}

/// An answer that messages are lost.
#[derive(Debug)]
pub struct Lost {
    /// The offset that the request named.
    pub asked: u64,
    /// The client's offset when the answer came.
    pub after: u64,
    /// The offset from which the client is live.
    pub until: u64,
}

/// The messages that the client sends.
struct Messages {
    left: usize,
    every: Duration,
    next_at: Instant,
    /// The entity of the message whose acknowledgement is awaited.
    in_flight: Option<String>,
    is_done: bool,
}

impl Messages {
    /// Returns whether the last message is not acknowledged yet. Its sender keeps the socket, so that the
    /// test knows when no message can come any more.
    fn is_last_in_flight(&self) -> bool {
        self.left == 0 && self.in_flight.is_some()
    }
}

#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// The event ids of the acknowledged messages.
    pub acknowledged: Vec<String>,
    /// The messages whose outcome the client does not know.
    pub unknown: usize,
    pub sockets_dropped: usize,
    /// The logs in which a new connection recovered messages.
    pub recoveries: usize,
    pub gaps: usize,
    pub syncs: usize,
    pub repeats: usize,
}

impl Client {
    /// Makes a client of these entities that sends so many messages, one each `every`.
    pub fn new(
        url: String,
        shared: Arc<Shared>,
        seed: u64,
        entities: impl Iterator<Item = String>,
        messages: (usize, Duration),
    ) -> Self {
        let (left, every) = messages;
        Self {
            url,
            shared,
            random: Rng::with_seed(seed),
            logs: entities.map(|entity| (entity, Log::default())).collect(),
            messages: Messages {
                left,
                every,
                next_at: Instant::now() + every,
                in_flight: None,
                is_done: false,
            },
            asked: HashMap::new(),
            requests: 0,
            compare_at: Instant::now() + IDLE,
            has_gap: false,
            counts: Counts::default(),
        }
    }

    pub fn logs(&self) -> &BTreeMap<String, Log> {
        &self.logs
    }

    /// Runs until the test ends and the client is current in all logs.
    pub async fn run(mut self) -> Self {
        while !self.connection().await {
            if self.messages.in_flight.take().is_some() {
                self.counts.unknown += 1;
            }
            let away = match self.random.u32(0..6) {
                0 => 2_000,
                _ => self.random.u64(0..300),
            };
            sleep(Duration::from_millis(away)).await;
        }
        self
    }

    /// Runs one connection. Returns whether the client has ended.
    async fn connection(&mut self) -> bool {
        let Ok((mut socket, _)) = connect_async(&self.url).await else {
            return false;
        };
        self.asked.clear();
        let mut frames = self.random.usize(20..80);
        let mut tick = interval(Duration::from_millis(20));
        self.ask(&mut socket, "subscribe").await;
        loop {
            tokio::select! {
                frame = socket.next() => {
                    let Some(Ok(Message::Text(text))) = frame else {
                        return false;
                    };
                    let frame: Value = serde_json::from_str(text.as_str()).unwrap();
                    match self.handle(&mut socket, &frame).await {
                        Next::Go => {}
                        Next::Reconnect => return false,
                        Next::End => return true,
                    }
                    frames = frames.saturating_sub(1);
                    if frames == 0 && !self.is_ending() && !self.messages.is_last_in_flight() {
                        self.counts.sockets_dropped += 1;
                        return false;
                    }
                }
                _ = tick.tick() => {
                    let ending = self.is_ending();
                    if self.asked.is_empty() && (ending || Instant::now() >= self.compare_at) {
                        self.counts.syncs += 1;
                        self.ask(&mut socket, "sync").await;
                    }
                    self.send_message(&mut socket).await;
                }
            }
        }
    }

    fn is_ending(&self) -> bool {
        self.shared.ending.load(SeqCst)
    }

    /// Sends a request with the positions in all logs.
    async fn ask(&mut self, socket: &mut Socket, action: &str) {
        self.compare_at = Instant::now() + IDLE;
        self.has_gap = false;
        self.requests += 1;
        // A client that is told to end before it asks ends once the answer is that it has everything.
        let last = if self.is_ending() { "last" } else { "" };
        let id = format!("{action}-{}-{last}", self.requests);
        let entities = self.logs.iter().map(|(entity, log)| {
            let position = log.position();
            let start = match action {
                "subscribe" => json!({"recover": position}),
                _ => position,
            };
            (entity.clone(), start)
        });
        let entities: Value = entities.collect();
        let offsets = self.logs.iter();
        let offsets = offsets.map(|(entity, log)| (entity.clone(), log.offset));
        self.asked.insert(id.clone(), offsets.collect());
        let request = json!({"action": action, "id": id, "entities": entities});
        send(socket, &request).await;
    }

    /// Reads on where the budget ended an answer.
    async fn read_on(&mut self, socket: &mut Socket, entity: &str) {
        self.requests += 1;
        let id = format!("history-{}", self.requests);
        let log = &self.logs[entity];
        let request =
            json!({"action": "history", "id": id, "entityId": entity, "since": log.position()});
        let offset = BTreeMap::from([(entity.to_owned(), log.offset)]);
        self.asked.insert(id, offset);
        send(socket, &request).await;
    }

    async fn send_message(&mut self, socket: &mut Socket) {
        let messages = &mut self.messages;
        if messages.left == 0 && messages.in_flight.is_none() && !messages.is_done {
            messages.is_done = true;
            self.shared.done_sending.fetch_add(1, SeqCst);
        }
        if messages.left == 0 || messages.in_flight.is_some() || Instant::now() < messages.next_at {
            return;
        }
        messages.left -= 1;
        messages.next_at = Instant::now() + messages.every;
        let number = self.random.usize(0..self.logs.len());
        let entity = self.logs.keys().nth(number).unwrap().clone();
        let request =
            json!({"action": "sendMessage", "entityId": entity, "message": messages.left});
        messages.in_flight = Some(entity);
        send(socket, &request).await;
    }

    async fn handle(&mut self, socket: &mut Socket, frame: &Value) -> Next {
        match (frame["type"].as_str(), frame["action"].as_str()) {
            (Some("ack"), Some("sendMessage")) => {
                let entity = self.messages.in_flight.take().unwrap();
                let event_id = frame["eventId"].as_str().unwrap().to_owned();
                self.counts.acknowledged.push(event_id);
                self.arrived(&entity, frame);
            }
            (Some("error"), Some("sendMessage")) => {
                self.messages.in_flight = None;
                self.counts.unknown += 1;
            }
            (Some("ack"), Some(action)) => return self.answered(socket, action, frame).await,
            // The gateway's own answer where a function did not give one.
            (None, _) => return Next::Reconnect,
            (Some("error"), action) => {
                assert_ne!(frame["retryable"], false, "{frame}");
                self.asked.remove(frame["id"].as_str().unwrap_or_default());
                if action == Some("subscribe") {
                    self.ask(socket, "subscribe").await;
                }
            }
            _ => {
                let entity = frame["entityId"].as_str().unwrap().to_owned();
                self.arrived(&entity, frame);
            }
        }
        Next::Go
    }

    /// Takes a message that was pushed, or the client's own that is acknowledged.
    fn arrived(&mut self, entity: &str, frame: &Value) {
        let log = self.logs.get_mut(entity).unwrap();
        let offset = frame["offset"].as_u64().unwrap();
        if log
            .epoch
            .as_ref()
            .is_none_or(|epoch| *epoch == frame["epoch"])
        {
            self.counts.repeats += log.hold(offset, frame);
        }
        let is_behind = log.offset < offset;
        self.note_gap(is_behind);
    }

    /// Compares positions after a random time, so that not all clients ask at once.
    fn note_gap(&mut self, is_behind: bool) {
        if is_behind && !self.has_gap {
            self.has_gap = true;
            self.counts.gaps += 1;
            self.compare_at = Instant::now() + Duration::from_millis(self.random.u64(100..500));
        }
    }

    async fn answered(&mut self, socket: &mut Socket, action: &str, ack: &Value) -> Next {
        let id = ack["id"].as_str().unwrap();
        let asked = self.asked.remove(id).unwrap();
        if action == "subscribe" {
            self.shared.subscribes.fetch_add(1, SeqCst);
        }
        let none = serde_json::Map::new();
        let results: Vec<(&str, &Value)> = match ack["entityId"].as_str() {
            Some(entity) => vec![(entity, ack)],
            None => {
                let results = ack["entities"].as_object().unwrap_or(&none);
                results
                    .iter()
                    .map(|(entity, result)| (entity.as_str(), result))
                    .collect()
            }
        };
        if action == "sync" && id.ends_with("-last") && results.is_empty() {
            return Next::End;
        }
        for (entity, result) in results {
            if result.get("error").is_some() {
                self.note_gap(true);
                continue;
            }
            let log = self.logs.get_mut(entity).unwrap();
            let (recovered, repeats) = log.answered(asked[entity], result);
            self.counts.repeats += repeats;
            self.counts.recoveries += usize::from(recovered && action == "subscribe");
            let is_behind = log.offset < result["top"].as_u64().unwrap_or_default();
            if result["more"] == true {
                self.read_on(socket, entity).await;
            } else {
                self.note_gap(is_behind);
            }
        }
        Next::Go
    }
}

/// The next step of a client after a frame.
enum Next {
    Go,
    Reconnect,
    End,
}

impl Log {
    fn position(&self) -> Value {
        match &self.epoch {
            Some(epoch) => json!({"epoch": epoch, "offset": self.offset}),
            None => json!({"offset": 0}),
        }
    }

    /// Holds a message back until its turn. Returns the number of repeats that this dropped.
    fn hold(&mut self, offset: u64, frame: &Value) -> usize {
        if offset > self.offset {
            let event_id = frame["eventId"].as_str().unwrap().to_owned();
            let frame = (frame["epoch"].clone(), event_id);
            self.held.insert(offset, frame);
        }
        self.deliver(0)
    }

    /// Delivers what is held up to an offset, up to which nothing is missing, and what follows it without a
    /// gap. Returns the number of repeats.
    fn deliver(&mut self, complete: u64) -> usize {
        let mut repeats = 0;
        while let Some(entry) = self.held.first_entry() {
            let offset = *entry.key();
            if offset > complete && offset > self.offset + 1 {
                break;
            }
            let (epoch, event_id) = entry.remove();
            if offset <= self.offset {
                continue;
            }
            // The position moves before the application gets the message.
            (self.epoch, self.offset) = (Some(epoch), offset);
            if self.seen.insert(event_id.clone()) {
                self.delivered.push((offset, event_id));
            } else {
                repeats += 1;
            }
        }
        repeats
    }

    /// Takes the answer to a position. Returns whether messages were recovered, and the number of repeats.
    fn answered(&mut self, asked: u64, result: &Value) -> (bool, usize) {
        let offset = result["offset"].as_u64().unwrap();
        let messages = result["messages"].as_array().map_or(&[][..], Vec::as_slice);
        if result["recovered"] == false {
            assert!(messages.is_empty(), "{result}");
            if offset > self.offset {
                let after = self.offset;
                self.lost.push(Lost {
                    asked,
                    after,
                    until: offset,
                });
            }
        }
        let mut repeats = 0;
        for frame in messages {
            let offset = frame["offset"].as_u64().unwrap();
            if offset > self.offset {
                let event_id = frame["eventId"].as_str().unwrap().to_owned();
                self.held.insert(offset, (frame["epoch"].clone(), event_id));
            }
        }
        if result["recovered"] == false {
            self.held.retain(|&held, _| held > offset);
        }
        repeats += self.deliver(offset);
        if offset > self.offset {
            (self.epoch, self.offset) = (result.get("epoch").cloned(), offset);
            repeats += self.deliver(0);
        }
        (!messages.is_empty(), repeats)
    }
}

async fn send(socket: &mut Socket, request: &Value) {
    // A socket that is closed is noticed by its reader.
    let _ = socket.send(Message::text(request.to_string())).await;
}
