//! Connections are renewed before the gateway ends them, with its limits shortened to seconds.

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

/// The gateway ends a connection at this age.
const LIFETIME: Duration = Duration::from_secs(20);

/// The clients renew theirs at this one, and keep the old one for the time after.
const RENEW_AFTER: Duration = Duration::from_secs(5);
const LINGER_FOR: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_renewals_under_load_have_no_gap_and_no_repeat() {
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

    let mut said = Vec::new();
    let start = Instant::now();
    while renewals(&subjects) < RENEWALS {
        assert!(
            start.elapsed() < 10 * LIFETIME,
            "too few renewals: {}",
            renewals(&subjects)
        );
        let number = said.len();
        let event = format!("event {number}");
        let sender = number % CLIENTS;
        let message = format!("message {number} of {sender}");
        stack.update("room", event.as_str()).await;
        let reply = subjects[sender]
            .client
            .send(Message::to_entity(entity("room"), message.as_str()));
        in_time("the message was taken", reply)
            .await
            .expect("an acknowledgement");
        said.push(Said {
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
        in_time("the end came", subject.broadcasts.recv())
            .await
            .expect("a push");
        assert!(
            !subject.states.has_changed().expect("not stopped"),
            "{number}: {:?}",
            subject.client.state()
        );
    }
    // What comes late, comes to a connection that lingers.
    sleep(LINGER_FOR).await;
    for (number, subject) in subjects.iter_mut().enumerate() {
        subject.has_got_everything_once(number, &said).await;
    }
    println!(
        "{count} renewals, {} events and as many messages to {CLIENTS} clients: no gap, no repeat",
        said.len()
    );
    stack.stop().await;
}

/// An event for everybody, and a message for everybody but its sender.
struct Said {
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
        // One that nobody writes to, so that there is more than one to establish again.
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

    async fn has_got_everything_once(&mut self, number: usize, said: &[Said]) {
        let others = said
            .iter()
            .filter(|said| said.sender != number)
            .map(|said| &said.message);
        let expected: BTreeSet<&String> =
            said.iter().map(|said| &said.event).chain(others).collect();
        let mut got: BTreeMap<String, usize> = BTreeMap::new();
        while got.len() < expected.len() {
            let push = in_time("everything came", self.subscription.recv())
                .await
                .expect("a push");
            *got.entry(push.message().expect("a text")).or_default() += 1;
        }
        // Whatever would come twice, or come back.
        while let Some(push) = futures_util::FutureExt::now_or_never(self.subscription.recv()) {
            *got.entry(push.expect("a push").message().expect("a text"))
                .or_default() += 1;
        }
        let got_once: BTreeSet<&String> = got
            .iter()
            .filter(|(_, times)| **times == 1)
            .map(|(text, _)| text)
            .collect();
        assert_eq!(got_once, expected, "{number}: {got:?}");
    }
}
