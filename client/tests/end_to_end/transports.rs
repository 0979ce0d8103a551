//! The change between a WebSocket and polling, behind networks that admit no WebSocket.
//!
//! `HERALD_FALLBACK_CLIENTS` and `HERALD_FALLBACK_EVENTS` are the numbers of clients and events.

use std::{env, time::Duration};

use futures_util::future::join_all;
use herald_client::{
    Client, ConnectionState, History, Message, Next, Options, RequestError, StopReason,
    SubscribeOptions, Subscription, Transport,
};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    harness::{TestStack, entity, in_time, stopped, until},
    obstacle::{Mode, Obstacle},
};

const HISTORY: &str = r#"{"none:*":null,"**":{"messages":1000,"seconds":600},"$user":{"messages":1000,"seconds":600},"$everyone":{"messages":1000,"seconds":600}}"#;

fn from_environment(name: &str, default: usize) -> usize {
    let given = env::var(name).map(|text| text.parse().expect("a number"));
    given.unwrap_or(default)
}

fn clients() -> usize {
    from_environment("HERALD_FALLBACK_CLIENTS", 6)
}

fn events() -> usize {
    from_environment("HERALD_FALLBACK_EVENTS", 60)
}

async fn stack() -> TestStack {
    TestStack::start_with_polling(HISTORY).await
}

/// Starts a client of a user behind an obstacle, with times as short as a test needs.
fn start(stack: &TestStack, user: &str, obstacle: &Obstacle) -> Client {
    let permissions = json!({"**": ["subscribe", "publish", "history"]});
    let options = stack.tokens(user, permissions, 3600);
    start_with(stack, options, obstacle)
}

fn start_with(stack: &TestStack, options: Options, obstacle: &Obstacle) -> Client {
    let retry = Duration::from_millis(250) * clients() as u32;
    let options = options
        .poll_url(stack.poll_url())
        .back_off(Duration::from_secs(1), Duration::from_millis(200))
        .obstacles(3, Duration::from_secs(60))
        .obstacle_after(Duration::ZERO)
        .web_socket_retry(retry)
        .stable_after(Duration::from_millis(500))
        .renewal(Duration::from_secs(6600), Duration::from_millis(100))
        .buffer(10_000);
    Client::start(&obstacle.web_socket(), options).expect("addresses")
}

async fn opens_with(client: &Client, transport: Transport) {
    until(&format!("the client is open by {transport}"), || {
        client.state() == ConnectionState::Open && client.transport() == transport
    })
    .await;
}

/// Clients that subscribe to one entity.
struct Audience {
    clients: Vec<Client>,
    subscriptions: Vec<Subscription>,
}

impl Audience {
    async fn start(stack: &TestStack, obstacle: &Obstacle, room: &str) -> Self {
        let numbers = 0..clients();
        let clients: Vec<_> = numbers
            .map(|number| start(stack, &format!("user-{number}"), obstacle))
            .collect();
        let subscriptions = clients.iter().map(|client| async {
            in_time("subscribed", client.subscribe(entity(room)))
                .await
                .expect("a subscription")
        });
        Self {
            subscriptions: join_all(subscriptions).await,
            clients,
        }
    }

    async fn open_with(&self, transport: Transport) {
        join_all(
            self.clients
                .iter()
                .map(|client| opens_with(client, transport)),
        )
        .await;
    }

    /// Fails unless every client gets each event once, in the order of the log.
    async fn assert_complete(&mut self) {
        let received = join_all(self.subscriptions.iter_mut().map(receive)).await;
        for pushes in &received {
            assert_eq!(pushes, &received[0], "every client has the same order");
        }
        // The server fills an offset whose message takes too long, so there may be gaps.
        let offsets = received[0].iter().map(|(offset, _)| *offset);
        assert!(offsets.is_sorted_by(|one, other| one < other));
        let mut numbers: Vec<_> = received[0].iter().map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=events()).collect::<Vec<_>>());
    }
}

/// Receives every event, and returns their offsets and numbers.
async fn receive(subscription: &mut Subscription) -> Vec<(u64, usize)> {
    let mut received = Vec::new();
    while received.len() < events() {
        let next = in_time("an event arrived", subscription.next_event()).await;
        let Next::Message(push) = next.expect("an event") else {
            panic!("a loss after {} events", received.len());
        };
        let offset = push.position().expect("a position").offset;
        received.push((offset, push.message().expect("a number")));
    }
    received
}

async fn polls_behind(mode: Mode) {
    let stack = stack().await;
    let obstacle = Obstacle::start(stack.address(), mode).await;
    let mut audience = Audience::start(&stack, &obstacle, "order").await;
    for number in 1..=events() {
        stack.update("order", number).await;
    }
    audience.open_with(Transport::Poll).await;
    audience.assert_complete().await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_behind_a_proxy_that_swallows_upgrades_polls_each_event_once_and_in_order() {
    polls_behind(Mode::Swallow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_behind_a_proxy_that_answers_upgrades_with_400_polls_each_event_once_and_in_order() {
    polls_behind(Mode::Answer(400)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_behind_a_proxy_that_kills_sockets_polls_each_event_once_and_in_order() {
    polls_behind(Mode::Kill).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_the_transport_while_events_arrive_lose_and_repeat_nothing() {
    let stack = stack().await;
    let obstacle = Obstacle::start(stack.address(), Mode::Pass).await;
    let mut audience = Audience::start(&stack, &obstacle, "order").await;
    for number in 1..=events() {
        stack.update("order", number).await;
        match number % 20 {
            5 => obstacle.change(Mode::Swallow),
            12 => audience.open_with(Transport::Poll).await,
            13 => obstacle.change(Mode::Pass),
            0 => audience.open_with(Transport::WebSocket).await,
            _ => {}
        }
    }
    audience.assert_complete().await;
    stack.stop().await;
}

#[tokio::test]
async fn client_that_polls_sends_and_does_not_receive_its_own_message() {
    let stack = stack().await;
    let obstacle = Obstacle::start(stack.address(), Mode::Swallow).await;
    let sender = start(&stack, "alice", &obstacle);
    let other = start(&stack, "bob", &obstacle);
    let room = || entity("room-1");
    let own = in_time("subscribed", sender.subscribe(room())).await;
    let mut own = own.expect("a subscription");
    let heard = in_time("subscribed", other.subscribe(room())).await;
    let mut heard = heard.expect("a subscription");

    let sent = [1, 2, 3].map(|number| sender.send(Message::to_entity(room(), number)));
    for reply in sent {
        in_time("acknowledged", reply).await.expect("a reply");
    }
    for expected in [1, 2, 3] {
        let push = in_time("a message arrived", heard.recv()).await;
        let number: i32 = push.expect("a push").message().expect("a number");
        assert_eq!(number, expected);
    }
    let echo = in_time("echoed", sender.send(Message::echo("echo"))).await;
    let echo: String = echo.expect("a reply").echo().expect("a text");
    assert_eq!(echo, "echo");
    stack.update("room-1", 4).await;
    let push = in_time("the event arrived", own.recv()).await;
    let number: i32 = push.expect("a push").message().expect("a number");
    assert_eq!(number, 4);
    assert_eq!(own.position().expect("a position").offset, 4);
    stack.stop().await;
}

#[tokio::test]
async fn client_that_polls_receives_notifications_and_broadcasts() {
    let stack = stack().await;
    let obstacle = Obstacle::start(stack.address(), Mode::Swallow).await;
    let client = start(&stack, "alice", &obstacle);
    let mut notifications = client.notifications();
    let mut broadcasts = client.broadcasts();
    opens_with(&client, Transport::Poll).await;
    // The client starts at the position of its first poll, which nothing tells. Events before it do not arrive.
    let put = async {
        loop {
            let detail = json!({"userId": "alice", "message": 1});
            stack.put_event("Send User Push Notification", detail).await;
            stack.put_event("Broadcast", json!({"message": 1})).await;
            sleep(Duration::from_millis(250)).await;
        }
    };
    let received = async {
        in_time("a notification arrived", notifications.recv())
            .await
            .expect("a push");
        in_time("a broadcast arrived", broadcasts.recv())
            .await
            .expect("a push");
    };
    tokio::select! {
        () = put => {}
        () = received => {}
    }
    stack.stop().await;
}

#[tokio::test]
async fn client_that_polls_is_refused_what_needs_a_web_socket() {
    let stack = stack().await;
    let obstacle = Obstacle::start(stack.address(), Mode::Swallow).await;
    let client = start(&stack, "alice", &obstacle);
    opens_with(&client, Transport::Poll).await;
    let rewind = SubscribeOptions::new().rewind(3);
    let refused = [
        client.subscribe(entity("none:1")).await.err(),
        client.subscribe_with(entity("order-9"), rewind).await.err(),
        client
            .history(entity("order-9"), History::last(3))
            .await
            .err(),
    ];
    for error in refused {
        let Some(RequestError::Server(error)) = error else {
            panic!("not an error of the server: {error:?}");
        };
        assert_eq!(error.code_text, "unsupported");
    }
    stack.stop().await;
}

#[tokio::test]
async fn client_stops_after_three_polls_that_are_refused() {
    let stack = stack().await;
    let obstacle = Obstacle::start(stack.address(), Mode::Swallow).await;
    let options = Options::new().token(|| async { Ok::<_, std::io::Error>("no-token") });
    let client = start_with(&stack, options, &obstacle);
    let refused = StopReason::Refused { status: Some(401) };
    assert_eq!(stopped(&client).await, ConnectionState::Stopped(refused));
    stack.stop().await;
}

#[tokio::test]
async fn client_behind_a_proxy_that_answers_429_or_503_keeps_to_the_web_socket() {
    let stack = stack().await;
    for status in [429, 503] {
        let obstacle = Obstacle::start(stack.address(), Mode::Answer(status)).await;
        let client = start(&stack, "alice", &obstacle);
        let transports = client.transports();
        let mut states = client.states();
        let many_attempts = states.wait_for(
            |state| matches!(state, ConnectionState::Reconnecting { attempt, .. } if *attempt > 6),
        );
        in_time("six attempts failed", many_attempts)
            .await
            .expect("a state");
        obstacle.change(Mode::Pass);
        opens_with(&client, Transport::WebSocket).await;
        assert!(!transports.has_changed().expect("the client runs"));
    }
    stack.stop().await;
}
