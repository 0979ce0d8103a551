//! Members who come and go at a constant rate while functions are killed at any line, posts fail or vanish,
//! closes are lost, and the queue repeats and reorders.
//!
//! Each member is in one of several rooms, whose members are listed, and in the hall, of which the count alone is
//! told. Then the faults end, and the time passes after which docs/presence.md promises that the sets are
//! right.
//!
//! Run it with 500 members for a minute by `HERALD_PRESENCE_MEMBERS=500 HERALD_PRESENCE_FOR=60 cargo test -p
//! herald-functions --test end_to_end presence::faults -- --nocapture`, which shows the table of what happened.

mod chaos;
mod member;

use std::{
    collections::BTreeSet,
    env,
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt, StreamExt,
    future::{join_all, ready},
    stream,
};
use herald_local::{Authentication, faults::Step};
use herald_shared::presence::MEMBER_LIFETIME;
use herald_testkit::local_only;
use serde_json::json;
use tokio::{sync::watch, task::JoinSet, time::sleep};

use super::{
    table::{LOOK_EVERY, Table},
    watcher::Watcher,
};
use crate::harness::{TestStack, until};
use chaos::{Chaos, Counts};
use member::{Act, Member};

const HALL: &str = "hall";
const WATCHERS_OF_EACH: usize = 2;

/// The largest number of members of a room.
const ROOM: usize = 100;

/// The largest count at which Herald lists members.
const LIMIT: usize = 200;

/// The largest number of members who act at once.
const AT_ONCE: usize = 16;

/// The visibility timeout of the queue.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(360);

/// The seconds from each ping of all members to the next, until the longest life of a row has passed.
const UNTIL_ROWS_END: [u64; 3] = [240, 240, 121];

#[derive(Clone, Copy)]
struct Size {
    members: usize,
    seconds: u64,
}

impl Size {
    fn from_environment() -> Self {
        let number = |name| env::var(name).ok().map(|value| value.parse().unwrap());
        Self {
            members: number("HERALD_PRESENCE_MEMBERS").unwrap_or(25) as usize,
            seconds: number("HERALD_PRESENCE_FOR").unwrap_or(6),
        }
    }

    fn rooms(self) -> usize {
        self.members.div_ceil(ROOM)
    }

    /// Returns the entities, the hall last.
    fn entities(self) -> Vec<String> {
        let rooms = (0..self.rooms()).map(room);
        rooms.chain([HALL.to_owned()]).collect()
    }

    /// Returns the largest count at which an entity's members are listed.
    fn limit(self, entity: &str) -> usize {
        match entity {
            HALL => LIMIT.min(self.members / 4),
            _ => LIMIT,
        }
    }
}

fn room(number: usize) -> String {
    format!("room:{number}")
}

fn user(number: usize) -> String {
    format!("user-{number:04}")
}

/// Returns whether a user never leaves: a tenth only send pings and renew their connections.
fn is_steady(user: &str) -> bool {
    user.ends_with('0')
}

fn watcher(entity: &str, number: usize) -> String {
    format!("watcher-{number}-of-{entity}")
}

#[local_only("injects faults")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sets_converge_after_drops_and_killed_functions() {
    let size = Size::from_environment();
    let stack = start(size).await;
    let (over, is_over) = watch::channel(false);
    let mut watchers = JoinSet::new();
    for entity in size.entities() {
        for number in 0..WATCHERS_OF_EACH {
            let client = stack.client_of(&watcher(&entity, number)).await;
            let watcher = Watcher::begin(client, &entity).await;
            watchers.spawn(watcher.follow(is_over.clone()));
        }
    }
    let members = (0..size.members).map(|number| {
        let room = room(number % size.rooms());
        Member::new(&stack, &user(number), &[&room, HALL]).act(Act::Join)
    });
    let members = stream::iter(members).buffered(AT_ONCE).collect().await;
    let mut chaos = Chaos::new(&stack, members);
    chaos.run(Duration::from_secs(size.seconds)).await;
    over.send_replace(true);
    let watchers = watchers.join_all().await;
    let mut calm = Calm {
        size,
        table: Table::of(&stack),
        stack: &stack,
        members: chaos.members,
        watchers,
    };
    let outcome = calm.converge().await;
    calm.assert_steady_members_never_left();
    calm.print(&chaos.counts, &outcome).await;
    stack.stop().await;
}

#[local_only("moves the clock of the table")]
#[tokio::test]
async fn member_row_outlives_its_end_until_a_frame_tells_of_it() {
    let presence = [("Presence", r#"{"room:*":{}}"#), ("History", "{}")];
    let stack = TestStack::start_with_users_and_parameters(&presence).await;
    let mut ann = stack.client_of("ann").await;
    ann.subscribe("room:1").await;
    let longer = MEMBER_LIFETIME + Duration::from_secs(60 * 60);
    stack.running().dynamodb().expire(longer).unwrap();
    let users = Table::of(&stack).users("room:1").await;
    assert_eq!(users, BTreeSet::from(["ann".to_owned()]));
    stack.stop().await;
}

async fn start(size: Size) -> TestStack {
    let presence = json!({
        "room:*": {"interval": 1},
        HALL: {"interval": 1, "members": size.limit(HALL)},
    });
    let stack = TestStack::try_start_with(|config| {
        config.authentication = Authentication::Secret;
        let parameters = [
            ("Presence", presence.to_string()),
            ("History", "{}".to_owned()),
        ];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value));
        config.parameters.extend(parameters);
    });
    stack.await.unwrap()
}

/// The stack after the faults.
struct Calm<'a> {
    size: Size,
    stack: &'a TestStack,
    table: Table<'a>,
    members: Vec<Member>,
    watchers: Vec<Watcher>,
}

/// The convergence of the sets.
struct Outcome {
    /// The rows of users who were gone, before the time of the rows ended.
    ghosts: usize,
    /// The time that the test waited, in which the clocks were moved further.
    waited: Duration,
}

impl Calm<'_> {
    /// Lets the documented times pass, and asserts that each set is then the truth.
    async fn converge(&mut self) -> Outcome {
        let began = Instant::now();
        // The messages of notifiers that died are delivered again.
        self.pass_on_queue(VISIBILITY_TIMEOUT);
        self.until_quiet().await;
        self.ping_all().await;
        until("no member is missing", async || {
            sleep(LOOK_EVERY).await;
            self.is_none_missing().await
        })
        .await;
        let mut ghosts = 0;
        for entity in self.size.entities() {
            let users = self.table.users(&entity).await;
            ghosts += users.difference(&self.truth(&entity)).count();
        }
        for seconds in UNTIL_ROWS_END {
            self.pass(seconds).await;
            self.ping_all().await;
        }
        until("no ghost is left", async || {
            sleep(LOOK_EVERY).await;
            self.is_true().await
        })
        .await;
        self.check_watchers().await;
        let waited = began.elapsed();
        Outcome { ghosts, waited }
    }

    async fn ping_all(&mut self) {
        let present = self
            .members
            .drain(..)
            .map(|member| match member.is_present() {
                true => member.act(Act::Ping).left_future(),
                false => ready(member).right_future(),
            });
        self.members = stream::iter(present).buffered(AT_ONCE).collect().await;
        join_all(self.watchers.iter_mut().map(Watcher::catch_up)).await;
    }

    /// Waits until no flush of changes is to come or runs. A flush that was scheduled and never sent counts as
    /// lost some seconds after its time: a ping before then would schedule no other.
    async fn until_quiet(&self) {
        for entity in self.size.entities() {
            self.table.until_quiet(&entity).await;
        }
    }

    /// Lets time pass while no flush runs, so that none meets rows of both times.
    async fn pass(&self, seconds: u64) {
        self.until_quiet().await;
        for entity in self.size.entities() {
            self.table.advance(&entity, seconds).await;
        }
        self.pass_on_queue(Duration::from_secs(seconds));
    }

    fn pass_on_queue(&self, time: Duration) {
        self.stack.running().queues().clock().advance(time);
    }

    /// Returns the users who are present.
    fn truth(&self, entity: &str) -> BTreeSet<String> {
        let members = self.members.iter().filter(|member| {
            member.is_present() && member.entities.iter().any(|own| own == entity)
        });
        let members = members.map(|member| member.user.clone());
        let watchers = (0..WATCHERS_OF_EACH).map(|number| watcher(entity, number));
        members.chain(watchers).collect()
    }

    async fn is_none_missing(&self) -> bool {
        for entity in self.size.entities() {
            let told = self.table.told(&entity).await;
            if !told.is_superset(&self.truth(&entity)) {
                return false;
            }
        }
        true
    }

    async fn is_true(&self) -> bool {
        for entity in self.size.entities() {
            if !self.table.is_settled(&entity).await
                || self.table.users(&entity).await != self.truth(&entity)
            {
                return false;
            }
        }
        true
    }

    /// Asserts that each watcher knows the truth after one more change: one that missed the last frame learns of
    /// it, and asks.
    async fn check_watchers(&mut self) {
        let mut last = self.stack.client_of("last").await;
        let entities = self.size.entities();
        for entity in &entities {
            last.subscribe(entity).await;
            self.table.until_settled(entity).await;
        }
        join_all(self.watchers.iter_mut().map(Watcher::catch_up)).await;
        for entity in &entities {
            let mut users = self.truth(entity);
            users.insert("last".to_owned());
            let version = self.table.set(entity).await.version;
            let watchers = self
                .watchers
                .iter()
                .filter(|watcher| watcher.entity == *entity);
            for watcher in watchers {
                watcher.assert_knows(version, &users, self.size.limit(entity));
            }
        }
    }

    /// Asserts that no frame told of a user as left who was present all the time.
    fn assert_steady_members_never_left(&self) {
        let left = self.watchers.iter().flat_map(|watcher| &watcher.left);
        let steady: Vec<_> = left.filter(|user| is_steady(user)).collect();
        assert!(steady.is_empty(), "{steady:?}");
    }

    async fn print(&self, counts: &Counts, outcome: &Outcome) {
        let mut frames = 0;
        for entity in self.size.entities() {
            frames += self.table.set(&entity).await.version as usize;
        }
        let posts = self.watchers.iter().map(|watcher| watcher.frames.len());
        let failed = self.members.iter().map(|member| member.failed);
        let crashes = self.stack.running().crashes();
        let dead_letters = self.stack.messages("NotificationDeadLetterQueue");
        let acts = counts.acts.iter();
        let acts = acts.map(|(act, count)| (format!("{act:?}"), *count));
        let kills = counts.kills.iter();
        let kills = kills.map(|(function, count)| (format!("kills of {function}"), *count));
        let first = [
            ("members", self.size.members),
            ("entities", self.size.entities().len()),
        ];
        let rest = [
            (
                "notifiers killed after a query",
                crashes.killed_after(Step::Audience),
            ),
            (
                "notifiers killed after a post",
                crashes.killed_after(Step::Post),
            ),
            ("failed handshakes and requests", failed.sum()),
            ("dead letters", dead_letters.len()),
            ("frames", frames),
            ("posts that arrived", posts.sum()),
            ("ghosts until their rows ended", outcome.ghosts),
            (
                "seconds until all was true, waited",
                outcome.waited.as_secs() as usize,
            ),
        ];
        let named = |(name, count): (&str, usize)| (name.to_owned(), count);
        let lines = first.map(named).into_iter().chain(acts).chain(kills);
        for (name, count) in lines.chain(rest.map(named)) {
            println!("{name:38}{count:>8}");
        }
    }
}
