//! Many users with two devices each who join and leave one entity within seconds, before watchers that follow
//! the frames.
//!
//! Run it with 2,000 users by `HERALD_PRESENCE_USERS=2000 cargo test -p herald-functions --test end_to_end
//! presence::storm -- --nocapture`, which shows the counts. `HERALD_PRESENCE_WATCHERS` sets the number of
//! watchers, at most 100.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    time::Instant,
};

use futures_util::{StreamExt, stream};
use herald_testkit::local_only;
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet, time::sleep};

use super::{
    table::Table,
    watcher::{RETRY, Watcher},
};
use crate::harness::{Client, TestStack};

/// The entity.
const ROOM: &str = "room:1";

/// The seconds for which changes are collected.
const INTERVAL: u64 = 1;

/// The number of clients that connect or leave at once.
const AT_ONCE: usize = 16;

/// The largest count at which Herald lists members.
const LIMIT: usize = 200;

/// Many users before watchers.
#[derive(Clone, Copy)]
struct Storm {
    users: usize,
    /// The number of watchers, each another user.
    watchers: usize,
    /// The largest count at which members are listed.
    limit: usize,
    /// Each `stays`th user stays.
    stays: usize,
}

#[local_only("has parameters and tokens of its own")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storm_of_listed_members_is_told_in_few_frames() {
    let users = users();
    let storm = Storm {
        users,
        watchers: watchers(),
        limit: LIMIT,
        // At most 100 stay, so that they are listed at the end, though the count may pass the limit twice.
        stays: (users / 100).max(2),
    };
    assert!(storm.present().len() <= storm.limit);
    storm.run().await;
}

#[local_only("has parameters and tokens of its own")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storm_above_the_limit_is_told_as_few_counts() {
    let users = users();
    let storm = Storm {
        users,
        watchers: watchers(),
        limit: LIMIT.min(users / 4),
        stays: 2,
    };
    assert!(storm.present().len() > storm.limit);
    storm.run().await;
}

fn users() -> usize {
    number("HERALD_PRESENCE_USERS").unwrap_or(40)
}

fn watchers() -> usize {
    number("HERALD_PRESENCE_WATCHERS").unwrap_or(5)
}

fn number(variable: &str) -> Option<usize> {
    let value = env::var(variable).ok()?;
    Some(value.parse().unwrap())
}

impl Storm {
    /// Lets all users join with two devices each, and then those who do not stay leave: half of them by a close.
    async fn run(self) {
        let policy = json!({"room:**": {"interval": INTERVAL, "members": self.limit}});
        let parameters = [("Presence", &*policy.to_string()), ("History", "{}")];
        let stack = TestStack::start_with_users_and_parameters(&parameters).await;
        let began = Instant::now();
        let (over, is_over) = watch::channel(false);
        let mut watchers = JoinSet::new();
        for number in 0..self.watchers {
            let client = stack.client_of(&watcher(number)).await;
            let watcher = Watcher::begin(client, ROOM).await;
            watchers.spawn(watcher.follow(is_over.clone()));
        }
        let devices = (0..2 * self.users).map(|device| join(&stack, device % self.users));
        let devices: Vec<_> = at_once(devices).await;
        let (staying, leaving): (Vec<_>, Vec<_>) = devices
            .into_iter()
            .partition(|(number, _)| self.is_staying(*number));
        let leaving = leaving.into_iter().enumerate();
        let leaving = leaving.map(|(index, (_, device))| leave(device, index % 2 == 0));
        let unsubscribed = at_once(leaving).await;
        let table = Table::of(&stack);
        table.until_settled(ROOM).await;
        // Each frame raises the version by one.
        let frames = table.set(ROOM).await.version;
        let elapsed = began.elapsed().as_secs_f64();
        over.send_replace(true);
        let mut watchers = watchers.join_all().await;
        let posts = self.check_watchers(&mut watchers, frames).await;
        // A flush is scheduled only after the one before has begun, an interval or more after its own schedule.
        let most = elapsed / INTERVAL as f64;
        assert!(frames as f64 <= most, "{frames} frames in {elapsed} s");
        let staying = staying.into_iter().map(|(_, device)| device);
        let others = staying.chain(unsubscribed.into_iter().flatten());
        let asked = at_once(others.map(|device| self.check_other(device))).await;
        assert!(stack.messages("NotificationDeadLetterQueue").is_empty());
        self.print(frames, elapsed, posts, asked.len());
        stack.stop().await;
    }

    fn is_staying(self, number: usize) -> bool {
        number.is_multiple_of(self.stays)
    }

    /// Returns the users who are present at the end, with the number of their connections.
    fn present(self) -> BTreeMap<String, u64> {
        let staying = (0..self.users).filter(|number| self.is_staying(*number));
        let staying = staying.map(|number| (user(number), 2));
        let watchers = (0..self.watchers).map(|number| (watcher(number), 1));
        staying.chain(watchers).collect()
    }

    /// Asserts that each watcher got each frame, and that its set is the truth by the frames alone and in a
    /// snapshot. Returns the number of posts.
    async fn check_watchers(self, watchers: &mut [Watcher], frames: u64) -> Posts {
        let users: BTreeSet<_> = self.present().into_keys().collect();
        let mut posts = Posts::default();
        for watcher in watchers {
            watcher.catch_up().await;
            watcher.assert_knows(frames, &users, self.limit);
            watcher.ask().await;
            watcher.assert_knows(frames, &users, self.limit);
            posts.add(watcher, frames);
        }
        assert!(posts.frames <= frames as usize * self.watchers);
        posts
    }

    /// Asserts that a client which does not watch gets no frame of presence, and the truth if it asks. Returns the
    /// client: with its end the truth would change.
    async fn check_other(self, mut device: Client) -> Client {
        let presence = json!({"action": "presence", "entityId": ROOM});
        let ack = acknowledged(&mut device, presence).await;
        let (snapshot, present) = (&ack["presence"], self.present());
        assert_eq!(snapshot["count"], present.len(), "{snapshot}");
        let members = snapshot.get("members").map(connections);
        assert_eq!(members, (present.len() <= self.limit).then_some(present));
        device
    }

    fn print(self, frames: u64, elapsed: f64, posts: Posts, asked: usize) {
        let leaving = (0..self.users).filter(|number| !self.is_staying(*number));
        let changes = self.users + leaving.count();
        let lines = [
            ("users with two devices each", self.users),
            ("watchers", self.watchers),
            ("users at the end", self.present().len()),
            ("largest count with a list", self.limit),
            ("frames", frames as usize),
            ("the most frames, seconds ÷ interval", elapsed as usize),
            ("posts", posts.frames + posts.repeated),
            ("of them again, after a slow answer", posts.repeated),
            ("posts if each change were a frame", changes * self.watchers),
            ("clients that asked for the set", asked),
        ];
        for (name, count) in lines {
            println!("{name:38}{count:>8}");
        }
    }
}

/// The posts to watchers.
#[derive(Clone, Copy, Default)]
struct Posts {
    /// The posts of frames that the connection did not have.
    frames: usize,
    /// The posts of frames that it had: the notifier repeats a post whose answer takes too long.
    repeated: usize,
}

impl Posts {
    /// Adds the posts to a watcher. Fails if one is missing.
    fn add(&mut self, watcher: &Watcher, frames: u64) {
        let versions: BTreeSet<_> = watcher.frames.iter().copied().collect();
        let mut expected = watcher.first_version + 1..=frames;
        assert!(
            expected.all(|version| versions.contains(&version)),
            "{versions:?} from {} to {frames}",
            watcher.first_version
        );
        assert!(versions.len() as u64 <= frames);
        self.frames += versions.len();
        self.repeated += watcher.frames.len() - versions.len();
    }
}

/// Connects a device of a user, who joins with it.
async fn join(stack: &TestStack, number: usize) -> (usize, Client) {
    let mut client = stack.client_of(&user(number)).await;
    let subscribe = json!({"action": "subscribe", "entityId": ROOM});
    acknowledged(&mut client, subscribe).await;
    (number, client)
}

/// Lets a device leave: by a close, or by an unsubscribe, after which it is still connected.
async fn leave(mut device: Client, closes: bool) -> Option<Client> {
    if closes {
        device.close().await;
        return None;
    }
    let unsubscribe = json!({"action": "unsubscribe", "entityId": ROOM});
    acknowledged(&mut device, unsubscribe).await;
    Some(device)
}

/// Returns the acknowledgement of a request, which a busy machine may refuse for a moment. Fails if another frame
/// arrives first.
async fn acknowledged(client: &mut Client, request: Value) -> Value {
    loop {
        let reply = client.ask(request.clone()).await;
        if reply["type"] == "ack" {
            return reply;
        }
        assert_eq!(reply["retryable"], true, "{reply}");
        sleep(RETRY).await;
    }
}

/// Waits for all, many at once.
async fn at_once<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    stream::iter(all).buffered(AT_ONCE).collect().await
}

fn user(number: usize) -> String {
    format!("user-{number:04}")
}

fn watcher(number: usize) -> String {
    format!("watcher-{number}")
}

fn connections(members: &Value) -> BTreeMap<String, u64> {
    let members = members.as_array().unwrap().iter();
    members
        .map(|member| {
            let user = member["userId"].as_str().unwrap();
            (user.to_owned(), member["connections"].as_u64().unwrap())
        })
        .collect()
}
