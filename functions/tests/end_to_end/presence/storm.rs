//! Many users who join and leave one entity within seconds, before watchers that follow the frames.

use std::{collections::BTreeSet, env, time::Instant};

use futures_util::future::join_all;
use herald_testkit::local_only;
use serde_json::{Value, json};

use super::frames::watch;
use crate::harness::{Client, TestStack};

/// The entity.
pub(super) const ROOM: &str = "room:1";

/// The number of watchers, each another user.
const WATCHERS: usize = 5;

/// The number of clients that connect or leave at once.
const AT_ONCE: usize = 50;

/// Returns the number of users, of which each has two connections.
fn users() -> usize {
    let users = env::var("HERALD_PRESENCE_USERS").ok();
    users.and_then(|users| users.parse().ok()).unwrap_or(40)
}

#[local_only("has parameters and tokens of its own")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storm_of_listed_members_is_told_in_few_frames() {
    storm(r#"{"room:**":{"interval":1,"members":200}}"#, true).await;
}

#[local_only("has parameters and tokens of its own")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storm_above_the_limit_is_told_as_few_counts() {
    storm(r#"{"room:**":{"interval":1,"members":2}}"#, false).await;
}

/// Lets all users join with two devices each, and then every second one leave: half of those by a close.
async fn storm(presence: &str, listed: bool) {
    let parameters = [("Presence", presence), ("History", "{}")];
    let stack = TestStack::start_with_users_and_parameters(&parameters).await;
    let began = Instant::now();
    let mut watchers = Vec::new();
    for number in 0..WATCHERS {
        let client = stack.client_of(&format!("watcher-{number}")).await;
        watchers.push(Watcher::begin(client).await);
    }
    let names: Vec<_> = (0..users())
        .map(|number| format!("user-{number:04}"))
        .collect();
    let mut devices = Vec::new();
    let twice: Vec<_> = names.iter().chain(&names).collect();
    for some in twice.chunks(AT_ONCE) {
        let join = async |name: &&String| {
            let mut client = stack.client_of(name).await;
            client.subscribe(ROOM).await;
            client
        };
        devices.extend(join_all(some.iter().map(join)).await);
    }
    let mut staying = Vec::new();
    let mut leaving = Vec::new();
    for (index, device) in devices.into_iter().enumerate() {
        match index % users() % 2 {
            0 => staying.push(device),
            _ => leaving.push(device),
        }
    }
    for (index, mut device) in leaving.into_iter().enumerate() {
        if index % 2 == 0 {
            device.close().await;
        } else {
            let unsubscribe = json!({"action": "unsubscribe", "entityId": ROOM});
            assert_eq!(device.ask(unsubscribe).await["type"], "ack");
            staying.push(device);
        }
    }
    let present = (0..WATCHERS).map(|number| format!("watcher-{number}"));
    let present: BTreeSet<_> = present.chain(names.iter().step_by(2).cloned()).collect();
    let mut posts = 0;
    for watcher in &mut watchers {
        watcher.until(&present, listed).await;
        posts += watcher.frames;
    }
    let elapsed = began.elapsed().as_secs_f64();
    for watcher in &mut watchers {
        assert!(
            watcher.frames as f64 <= elapsed + 1.0,
            "{} frames in {elapsed} s",
            watcher.frames
        );
        watcher.agrees_with_a_snapshot(&present, listed).await;
    }
    println!(
        "{} users, {posts} posts to {WATCHERS} watchers in {elapsed:.1} s",
        users()
    );
    stack.stop().await;
}

/// A client that follows the frames by the rules of docs/clients.md.
pub(super) struct Watcher {
    client: Client,
    version: u64,
    count: u64,
    /// `None` while they are unknown.
    users: Option<BTreeSet<String>>,
    frames: usize,
}

impl Watcher {
    pub(super) async fn begin(mut client: Client) -> Self {
        let ack = client.ask(watch(ROOM)).await;
        let mut watcher = Self {
            client,
            version: 0,
            count: 0,
            users: None,
            frames: 0,
        };
        watcher.snapshot(&ack["presence"]);
        watcher
    }

    fn snapshot(&mut self, presence: &Value) {
        self.version = presence["version"].as_u64().unwrap();
        self.count = presence["count"].as_u64().unwrap();
        self.users = presence.get("members").map(ids);
    }

    /// Follows the frames until the watcher knows exactly these users, and a snapshot has them, too: the count
    /// alone may have been the same before.
    pub(super) async fn until(&mut self, present: &BTreeSet<String>, listed: bool) {
        loop {
            if self.knows(present, listed) {
                self.ask().await;
                if self.knows(present, listed) {
                    return;
                }
            }
            let frame = self.client.frame().await;
            self.frame(&frame).await;
        }
    }

    fn knows(&self, present: &BTreeSet<String>, listed: bool) -> bool {
        self.count == present.len() as u64 && (!listed || self.users.as_ref() == Some(present))
    }

    async fn frame(&mut self, frame: &Value) {
        assert_eq!(frame["type"], "presence", "{frame}");
        let version = frame["version"].as_u64().unwrap();
        self.frames += 1;
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

    /// Asks for the members. Frames that arrive before the answer are older or repeat it.
    async fn ask(&mut self) {
        let presence = json!({"action": "presence", "entityId": ROOM});
        self.client.send_text(&presence.to_string()).await;
        let mut later = Vec::new();
        loop {
            let frame = self.client.frame().await;
            if frame["type"] == "ack" {
                self.snapshot(&frame["presence"]);
                break;
            }
            later.push(frame);
        }
        for frame in later {
            Box::pin(self.frame(&frame)).await;
        }
    }

    pub(super) async fn agrees_with_a_snapshot(
        &mut self,
        present: &BTreeSet<String>,
        listed: bool,
    ) {
        self.ask().await;
        assert_eq!(self.count, present.len() as u64);
        assert_eq!(self.users.as_ref(), listed.then_some(present));
    }
}

fn ids(users: &Value) -> BTreeSet<String> {
    let users = users.as_array().unwrap().iter();
    users
        .map(|user| user["userId"].as_str().unwrap().to_owned())
        .collect()
}
