//! Renewal of connections before the gateway ends them, with its limits shortened to seconds.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::future::join_all;
use herald_client::{Client, ConnectionState, Message, Options, Pushes, Subscription};
use herald_local::{Authentication, gateway::Limits};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    harness::{TestStack, connect, entity, in_time},
    proxy::Proxy,
};

const CLIENTS: usize = 20;
const RENEWALS: usize = 100;

/// The age at which the gateway ends a connection.
const LIFETIME: Duration = Duration::from_secs(20);

/// The age at which the clients renew a connection, and the time that they keep the old one.
const RENEW_AFTER: Duration = Duration::from_secs(5);
const LINGER_FOR: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundred_renewals_under_load_have_no_gap_and_no_repeat() {
    let limits = Limits {
        lifetime: LIFETIME,
        ..Limits::default()
    };
    let stack = TestStack::start_with(Authentication::Open, limits).await;
    let mut subjects = join_all((0..CLIENTS).map(|number| Subject::start(&stack, number))).await;
    let renewals = |subjects: &[Subject]| -> usize {
        subjects
            .iter()
            .map(|subject| subject.proxy.connected_at().len() - 1)
            .sum()
    };

    let mut rounds = Vec::new();
    let start = Instant::now();
    while renewals(&subjects) < RENEWALS {
        assert!(
            start.elapsed() < 10 * LIFETIME,
            "too few renewals: {}",
            renewals(&subjects)
        );
        let number = rounds.len();
        let event = format!("event {number}");
        let sender = number % CLIENTS;
        let message = format!("message {number} of {sender}");
        stack.update("room", event.as_str()).await;
        let reply = subjects[sender]
            .client
            .send(Message::to_entity(entity("room"), message.as_str()));
        in_time("the message was acknowledged", reply)
            .await
            .expect("an acknowledgement");
        rounds.push(Round {
            event,
            message,
            sender,
        });
        sleep(Duration::from_millis(100)).await;
    }
    let count = renewals(&subjects);
    stack
        .put_event("Broadcast", json!({"message": "the end"}))
        .await;
    for (number, subject) in subjects.iter_mut().enumerate() {
        in_time("the last push arrived", subject.broadcasts.recv())
            .await
            .expect("a push");
        assert!(
            !subject.states.has_changed().expect("not stopped"),
            "{number}: {:?}",
            subject.client.state()
        );
    }
    // Late pushes arrive on the connections that linger.
    sleep(LINGER_FOR).await;
    for (number, subject) in subjects.iter_mut().enumerate() {
        subject
            .assert_received_everything_once(number, &rounds)
            .await;
    }
    println!(
        "{count} renewals, {} events and as many messages to {CLIENTS} clients: no gap, no repeat",
        rounds.len()
    );
    stack.stop().await;
}

/// An event for all clients, and a message for all but its sender.
struct Round {
    event: String,
    message: String,
    sender: usize,
}

struct Subject {
    client: Client,
    proxy: Proxy,
    subscription: Subscription,
    broadcasts: Pushes,
    states: tokio::sync::watch::Receiver<ConnectionState>,
}

impl Subject {
    async fn start(stack: &TestStack, number: usize) -> Self {
        let proxy = Proxy::start(stack.address()).await;
        let options = Options::new()
            .buffer(100_000)
            .renewal(RENEW_AFTER, LINGER_FOR);
        let client = connect(&proxy.web_socket(), options).await;
        let subscription = client
            .subscribe(entity("room"))
            .await
            .expect("a subscription");
        // A second subscription, without events, so that a renewal establishes several.
        let own = client
            .subscribe(entity(format!("own-{number}")))
            .await
            .expect("a subscription");
        std::mem::forget(own);
        Self {
            broadcasts: client.broadcasts(),
            states: client.states(),
            client,
            proxy,
            subscription,
        }
    }

    async fn assert_received_everything_once(&mut self, number: usize, rounds: &[Round]) {
        let others = rounds
            .iter()
            .filter(|round| round.sender != number)
            .map(|round| &round.message);
        let expected: BTreeSet<&String> = rounds
            .iter()
            .map(|round| &round.event)
            .chain(others)
            .collect();
        let mut received: BTreeMap<String, usize> = BTreeMap::new();
        while received.len() < expected.len() {
            let push = in_time("every push arrived", self.subscription.recv())
                .await
                .expect("a push");
            *received.entry(push.message().expect("a text")).or_default() += 1;
        }
        // Repeats and own messages would have arrived by now.
        while let Some(push) = futures_util::FutureExt::now_or_never(self.subscription.recv()) {
            *received
                .entry(push.expect("a push").message().expect("a text"))
                .or_default() += 1;
        }
        let received_once: BTreeSet<&String> = received
            .iter()
            .filter(|(_, times)| **times == 1)
            .map(|(text, _)| text)
            .collect();
        assert_eq!(received_once, expected, "{number}: {received:?}");
    }
}
