//! A watcher of one entity that follows the frames by the rules of docs/clients.md, and notes them.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tokio::{sync::watch::Receiver, time::sleep};

use super::frames::watch;
use crate::harness::Client;

/// The time before a request that failed is sent again.
pub(super) const RETRY: Duration = Duration::from_millis(100);

/// A client with a subscription that asks for presence.
pub(super) struct Watcher {
    client: Client,
    pub(super) entity: String,
    version: u64,
    count: u64,
    /// `None` while they are unknown.
    users: Option<BTreeSet<String>>,
    /// The version of the first snapshot.
    pub(super) first_version: u64,
    /// The version of each frame, in their order of arrival.
    pub(super) frames: Vec<u64>,
    /// The users of whom a frame told that they left.
    pub(super) left: BTreeSet<String>,
}

impl Watcher {
    pub(super) async fn begin(client: Client, entity: &str) -> Self {
        let mut watcher = Self {
            client,
            entity: entity.to_owned(),
            version: 0,
            count: 0,
            users: None,
            first_version: 0,
            frames: Vec::new(),
            left: BTreeSet::new(),
        };
        watcher.take_snapshot(&watch(entity)).await;
        watcher.first_version = watcher.version;
        watcher
    }

    /// Follows the frames until `over` is true.
    pub(super) async fn follow(mut self, mut over: Receiver<bool>) -> Self {
        loop {
            let frame = tokio::select! {
                frame = self.client.frame() => frame,
                _ = over.wait_for(|over| *over) => return self,
            };
            self.apply(&frame).await;
        }
    }

    /// Sends a ping, and applies the frames that arrived before the pong.
    pub(super) async fn catch_up(&mut self) {
        let (pong, frames) = self.request(&json!({"action": "ping"})).await;
        assert_eq!(pong, json!({"type": "pong"}));
        for frame in &frames {
            self.apply(frame).await;
        }
    }

    /// Asks for the members.
    pub(super) async fn ask(&mut self) {
        let presence = json!({"action": "presence", "entityId": self.entity});
        self.take_snapshot(&presence).await;
    }

    /// Asserts that the watcher knows this version and these users, or their count alone above the limit.
    pub(super) fn assert_knows(&self, version: u64, users: &BTreeSet<String>, limit: usize) {
        let listed = (users.len() <= limit).then_some(users);
        assert_eq!(self.users.as_ref(), listed, "{}", self.entity);
        let known = (self.version, self.count);
        assert_eq!(known, (version, users.len() as u64), "{}", self.entity);
    }

    /// Sends a request until it is acknowledged, and replaces what the watcher knows by the acknowledgement's
    /// snapshot. Frames that arrive before it are applied after it: they are older or repeat it.
    async fn take_snapshot(&mut self, request: &Value) {
        let mut early = Vec::new();
        loop {
            let (reply, frames) = self.request(request).await;
            early.extend(frames);
            if reply["type"] == "ack" {
                self.replace(&reply["presence"]);
                break;
            }
            // The function was killed.
            sleep(RETRY).await;
        }
        for frame in early {
            Box::pin(self.apply(&frame)).await;
        }
    }

    /// Returns the reply to a request, and the frames that arrived before it.
    async fn request(&mut self, request: &Value) -> (Value, Vec<Value>) {
        self.client.send_text(&request.to_string()).await;
        let mut frames = Vec::new();
        loop {
            let frame = self.client.frame().await;
            if frame["type"] != "presence" {
                return (frame, frames);
            }
            frames.push(frame);
        }
    }

    fn replace(&mut self, snapshot: &Value) {
        let version = snapshot["version"].as_u64().unwrap();
        assert!(version >= self.version, "{version} after {}", self.version);
        self.version = version;
        self.count = snapshot["count"].as_u64().unwrap();
        self.users = snapshot.get("members").map(ids);
    }

    async fn apply(&mut self, frame: &Value) {
        assert_eq!(
            (&frame["type"], &frame["entityId"]),
            (&json!("presence"), &json!(self.entity)),
            "{frame}"
        );
        let version = frame["version"].as_u64().unwrap();
        self.frames.push(version);
        if let Some(left) = frame.get("left") {
            self.left.extend(ids(left));
        }
        // The posts of two frames may overtake each other.
        if version <= self.version {
            return;
        }
        let is_next = version == self.version + 1;
        match (frame.get("joined"), &mut self.users) {
            (None, _) => self.users = None,
            (Some(joined), Some(users)) if is_next => {
                users.extend(ids(joined));
                for left in ids(&frame["left"]) {
                    users.remove(&left);
                }
            }
            (Some(_), _) => return self.ask().await,
        }
        self.version = version;
        self.count = frame["count"].as_u64().unwrap();
    }
}

fn ids(users: &Value) -> BTreeSet<String> {
    let users = users.as_array().unwrap().iter();
    users
        .map(|user| user["userId"].as_str().unwrap().to_owned())
        .collect()
}
