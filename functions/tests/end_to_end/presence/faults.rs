//! Members who come and go at random while notifiers die, posts fail or vanish, and closes are lost.

use std::{collections::BTreeSet, env, time::Duration};

use herald_local::{
    Authentication,
    faults::{DiesAfter, Step},
    gateway,
};
use herald_testkit::local_only;
use serde_json::json;

use super::storm::{ROOM, Watcher};
use crate::harness::{Client, TestStack};

/// Returns the number of members.
fn members() -> usize {
    let members = env::var("HERALD_PRESENCE_MEMBERS").ok();
    members
        .and_then(|members| members.parse().ok())
        .unwrap_or(25)
}

#[local_only("injects faults")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sets_converge_after_drops_and_killed_notifiers() {
    let stack = TestStack::try_start_with(|config| {
        config.authentication = Authentication::Secret;
        for (name, value) in [
            ("Presence", r#"{"room:**":{"interval":1}}"#),
            ("History", "{}"),
        ] {
            config.parameters.insert(name.to_owned(), value.to_owned());
        }
        config.faults.gateway = gateway::Faults {
            failing: 0.1,
            hidden: 0.1,
            ..gateway::Faults::default()
        };
    })
    .await
    .unwrap();
    let mut watchers = Vec::new();
    for number in 0..3 {
        let client = stack.client_of(&format!("watcher-{number}")).await;
        watchers.push(Watcher::begin(client).await);
    }
    let crashes = stack.running().crashes();
    let by_chance = DiesAfter::default()
        .with(Step::Audience, 0.2)
        .with(Step::Post, 0.05);
    crashes.set(by_chance);
    let clock = stack.running().queues().clock();
    let mut random = fastrand::Rng::with_seed(7);
    let mut clients: Vec<Option<Client>> = (0..members()).map(|_| None).collect();
    for round in 0..4 * members() {
        let number = random.usize(..members());
        clients[number] = match clients[number].take() {
            None => {
                let mut client = stack.client_of(&format!("user-{number:04}")).await;
                client.subscribe(ROOM).await;
                Some(client)
            }
            Some(mut client) if random.bool() => {
                client.ask(json!({"action": "ping"})).await;
                Some(client)
            }
            Some(client) => {
                client.close().await;
                None
            }
        };
        if round % 10 == 0 {
            // The messages of notifiers that died are delivered again.
            clock.advance(Duration::from_secs(370));
        }
    }
    crashes.set(DiesAfter::default());
    stack
        .running()
        .gateway()
        .set_faults(gateway::Faults::default());
    clock.advance(Duration::from_secs(370));
    // One more change: a watcher that missed the last frame learns of it, and asks.
    let mut last = stack.client_of("last").await;
    last.subscribe(ROOM).await;
    let mut present: BTreeSet<_> = (0..members())
        .filter(|number| clients[*number].is_some())
        .map(|number| format!("user-{number:04}"))
        .collect();
    present.extend((0..3).map(|number| format!("watcher-{number}")));
    present.insert("last".to_owned());
    for watcher in &mut watchers {
        watcher.until(&present, true).await;
        watcher.agrees_with_a_snapshot(&present, true).await;
    }
    let killed = crashes.killed_after(Step::Audience) + crashes.killed_after(Step::Post);
    println!("{killed} notifiers died");
    stack.stop().await;
}
