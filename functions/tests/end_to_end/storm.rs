//! All clients lose their sockets at once and return: the frames, invocations and units of each.
//!
//! A client has 20 subscriptions, 5 of them to entities with a log, and returns with one `subscribe` from its
//! positions. `HERALD_STORM_CLIENTS=5000` makes it a storm.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
};

use bytes::Bytes;
use futures_util::future::join_all;
use herald_testkit::local_only;
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};

use crate::harness::{Client, TestStack, until};

const HISTORY: &str = r#"{"log:*": {"messages": 100, "seconds": 3600}}"#;

const SUBSCRIPTIONS: usize = 20;
const LOGS: usize = 5;

/// The clients that share their logs, but for one that all clients share.
const GROUP: usize = 10;

/// The requests that are made at once. More would time out on a slow machine, and be sent again.
const AT_ONCE: usize = 10;

/// Read and write units of one client. Its entities have ids of 14 characters, so that the row of its
/// connection is within a kilobyte.
mod units {
    /// The rows of 20 subscriptions, and those of the connection, its user and everyone.
    pub(super) const DISCONNECT: (f64, f64) = (0.0, 23.0);
    pub(super) const CONNECT: (f64, f64) = (1.0, 3.0);
    /// Reads of the charge, of the set of subscriptions, and of the heads of five logs; writes of the
    /// charge, of the set, and of 20 rows.
    pub(super) const SUBSCRIBE: (f64, f64) = (7.0, 22.0);
    /// The same with up to 4 KB of messages from each log.
    pub(super) const RECOVER: (f64, f64) = (12.0, 22.0);
}

#[local_only("needs the local stack's counts")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn returning_client_costs_one_frame_and_one_subscribe_with_the_documented_units() {
    let clients = env::var("HERALD_STORM_CLIENTS").map_or(50, |count| count.parse().unwrap());
    let stack = TestStack::start_with_users_and_parameters(&[("History", HISTORY)]).await;
    let storm = Storm {
        stack: &stack,
        http: HttpClient::builder(TokioExecutor::new()).build_http(),
        clients,
    };
    storm.publish().await;
    let mut sockets = storm.connect_all().await;
    let nothing = vec![BTreeMap::new(); clients];
    let mut acks = storm.subscribe_all(&mut sockets, &nothing).await;
    storm.consumed();

    for missed in [0, 2] {
        let before = storm.settled_work().await;
        // Without a close.
        drop(sockets);
        storm.disconnected(&before).await;
        storm.assert_consumed("a disconnect", units::DISCONNECT);
        for _ in 0..missed {
            storm.publish().await;
        }
        storm.consumed();

        sockets = storm.connect_all().await;
        storm.assert_consumed("a connect", units::CONNECT);
        let positions: Vec<_> = acks.iter().map(positions).collect();
        acks = storm.subscribe_all(&mut sockets, &positions).await;
        let (operation, units) = match missed {
            0 => ("a subscribe, nothing missed", units::SUBSCRIBE),
            _ => ("a subscribe that recovers", units::RECOVER),
        };
        storm.assert_consumed(operation, units);
        for (ack, positions) in acks.iter().zip(&positions) {
            assert_recovered(ack, positions, missed);
        }
        let after = storm.settled_work().await;
        assert_eq!(after, before.after_return_of(clients));
    }
    drop(sockets);
    stack.stop().await;
}

/// The positions of a client in its logs, by entity.
type Positions = BTreeMap<String, Value>;

struct Storm<'a> {
    stack: &'a TestStack,
    http: HttpClient<HttpConnector, Empty<Bytes>>,
    clients: usize,
}

impl Storm<'_> {
    /// Publishes an event to every log, and waits until all are stored.
    async fn publish(&self) {
        let groups = (0..self.clients).step_by(GROUP);
        let logs: BTreeSet<_> = groups.flat_map(logs_of).collect();
        let event = |log| {
            let detail = json!({"entityId": log, "message": "x".repeat(100)});
            ("Entity Updated".to_owned(), detail)
        };
        let events: Vec<_> = logs.into_iter().map(event).collect();
        for ten in events.chunks(10) {
            self.stack.put_events(ten.to_vec()).await;
        }
        until("the queue is empty", async || {
            self.stack.messages("NotificationQueue").is_empty()
        })
        .await;
    }

    async fn connect_all(&self) -> Vec<Client> {
        let mut sockets = Vec::new();
        for first in (0..self.clients).step_by(AT_ONCE) {
            let numbers = first..self.clients.min(first + AT_ONCE);
            let users = numbers.map(|number| format!("user-{number}"));
            let connecting = users.map(async |user| self.stack.client_of(&user).await);
            sockets.extend(join_all(connecting).await);
        }
        sockets
    }

    /// Subscribes each client with one frame, and returns the acknowledgements.
    async fn subscribe_all(&self, sockets: &mut [Client], positions: &[Positions]) -> Vec<Value> {
        let mut asks: Vec<_> = sockets.iter_mut().zip(positions).enumerate().collect();
        let mut acks = Vec::new();
        for some in asks.chunks_mut(AT_ONCE) {
            let asking = some.iter_mut().map(async |(number, (client, positions))| {
                let entities: Value = entities_of(*number)
                    .map(|entity| {
                        let start = positions
                            .get(&entity)
                            .map_or(json!({}), |position| json!({"recover": position}));
                        (entity, start)
                    })
                    .collect();
                let ack = client.ask(json!({"action": "subscribe", "entities": entities}));
                let ack = ack.await;
                assert_eq!(ack["type"], "ack", "{ack}");
                ack
            });
            acks.extend(join_all(asking).await);
        }
        acks
    }

    /// Waits until `$disconnect` has run for every client since `before`.
    async fn disconnected(&self, before: &Work) {
        let expected = before.disconnects + self.clients as u64;
        until("every connection has ended", async || {
            self.work().await.disconnects == expected
        })
        .await;
    }

    /// Returns the read and write units since the last call.
    fn consumed(&self) -> (f64, f64) {
        let consumed = self.stack.running().dynamodb().consumption();
        (consumed.read_units, consumed.write_units)
    }

    fn assert_consumed(&self, operation: &str, (reads, writes): (f64, f64)) {
        let clients = self.clients as f64;
        let expected = (reads * clients, writes * clients);
        assert_eq!(
            self.consumed(),
            expected,
            "{operation} of {clients} clients"
        );
    }

    /// Returns the work once the invocation of every frame is recorded, which is after its reply.
    async fn settled_work(&self) -> Work {
        until("every invocation is recorded", async || {
            let work = self.work().await;
            work.subscribes >= work.frames_received
        })
        .await;
        self.work().await
    }

    async fn work(&self) -> Work {
        let endpoint = &self.stack.running().addresses().endpoint;
        let usage = format!("{endpoint}/console/usage.json").parse().unwrap();
        let answer = self.http.get(usage).await.unwrap().into_body();
        let usage: Value =
            serde_json::from_slice(&answer.collect().await.unwrap().to_bytes()).unwrap();
        let invocations = |function: &str| usage["invocations"][function].as_u64().unwrap_or(0);
        Work {
            frames_received: usage["framesReceived"].as_u64().unwrap(),
            frames_sent: usage["framesSent"].as_u64().unwrap(),
            authorizations: invocations("AuthorizerFunction"),
            connects: invocations("ConnectFunction"),
            subscribes: invocations("SubscribeFunction"),
            disconnects: invocations("DisconnectFunction"),
        }
    }
}

/// The frames, and the invocations by function, since the start.
#[derive(Debug, PartialEq, Eq)]
struct Work {
    frames_received: u64,
    frames_sent: u64,
    authorizations: u64,
    connects: u64,
    subscribes: u64,
    disconnects: u64,
}

impl Work {
    /// Returns the work after so many clients returned: one frame each way, and each function once.
    fn after_return_of(&self, clients: usize) -> Self {
        let clients = clients as u64;
        Self {
            frames_received: self.frames_received + clients,
            frames_sent: self.frames_sent + clients,
            authorizations: self.authorizations + clients,
            connects: self.connects + clients,
            subscribes: self.subscribes + clients,
            disconnects: self.disconnects + clients,
        }
    }
}

/// Returns the 20 entities of a client.
fn entities_of(number: usize) -> impl Iterator<Item = String> {
    let others =
        (0..SUBSCRIPTIONS - LOGS).map(move |index| format!("plain:{number:05}-{index:02}"));
    logs_of(number).chain(others)
}

/// Returns the entities of a client that have a log.
fn logs_of(number: usize) -> impl Iterator<Item = String> {
    let group = number / GROUP;
    let of_group = (1..LOGS).map(move |index| format!("log:{group:06}-{index:03}"));
    let of_all = "log:everywhere".to_owned();
    [of_all].into_iter().chain(of_group)
}

/// Returns the positions in an acknowledgement.
fn positions(ack: &Value) -> Positions {
    let results = ack["entities"].as_object().unwrap().iter();
    results
        .filter(|(_, result)| result.get("offset").is_some())
        .map(|(entity, result)| {
            let position = json!({"epoch": result["epoch"], "offset": result["offset"]});
            (entity.clone(), position)
        })
        .collect()
}

/// Asserts that an acknowledgement has so many messages of each log, gapless from the position before.
fn assert_recovered(ack: &Value, before: &Positions, missed: u64) {
    assert_eq!(before.len(), LOGS, "{ack}");
    for (entity, position) in before {
        let result = &ack["entities"][entity];
        assert_eq!(result["recovered"], true, "{result}");
        let messages = result["messages"].as_array().into_iter().flatten();
        let offsets: Vec<_> = messages.map(|message| message["offset"].as_u64()).collect();
        let from = position["offset"].as_u64().unwrap();
        let expected: Vec<_> = (from + 1..=from + missed).map(Some).collect();
        assert_eq!(offsets, expected, "{entity}");
        assert_eq!(result["offset"], from + missed, "{entity}");
    }
}
