//! Continuity against the local stack: every message once and in order, or a loss that is told.

use std::time::Duration;

use futures_util::future::join_all;
use herald_client::{
    Client, ConnectionState, Epoch, ErrorCode, History, LogName, Message, Next, Options, Position,
    RequestError, Snapshot, SubscribeOptions, Subscription, Update,
};
use herald_local::{
    Authentication,
    faults::{DiesAfter, Step},
    sqs,
};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    harness::{TestStack, connect, entity, in_time, until},
    proxy::Proxy,
};

const CLIENTS: usize = 12;
const EVENTS: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_sockets_lose_nothing_and_keep_the_order_of_the_log() {
    let stack = TestStack::start_with_history().await;
    stack.running().queues().set_faults(sqs::Faults {
        duplicates: 0.2,
        shuffle: true,
        ..sqs::Faults::default()
    });
    let mut subjects = join_all((0..CLIENTS).map(|_| Subject::start(&stack))).await;
    let publish = async {
        for number in 0..EVENTS {
            stack.update("room", number).await;
        }
    };
    let cut = async {
        for round in 0..30 {
            subjects[round * 5 % CLIENTS].proxy.cut();
            sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::join!(publish, cut);
    // The own messages of one client are in the log of the others.
    let sent = subjects[0]
        .client
        .send(Message::to_entity(entity("room"), EVENTS).safe_to_repeat());
    in_time("the message is acknowledged", sent)
        .await
        .expect("a reply");

    let mut orders = Vec::new();
    for subject in &mut subjects[1..] {
        orders.push(subject.receive(EVENTS + 1).await);
    }
    for order in &orders {
        assert_eq!(order, &orders[0], "every client has the same order");
    }
    let mut numbers: Vec<_> = orders[0].iter().map(|(_, number)| *number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, (0..=EVENTS).collect::<Vec<_>>());
    stack.stop().await;
}

#[tokio::test]
async fn messages_sent_while_client_and_notifier_were_away_are_recovered() {
    let stack = TestStack::start_with_history().await;
    let proxy = Proxy::start(stack.address()).await;
    let options = Options::new().back_off(Duration::from_secs(3), Duration::from_secs(3));
    let client = connect(&proxy.web_socket(), options).await;
    let mut room = client
        .subscribe(entity("room"))
        .await
        .expect("a subscription");
    let mut broadcasts = client.broadcasts();
    stack.put_event("Broadcast", json!({"message": 0})).await;
    assert_eq!(number(broadcasts.next_event()).await, 0);

    let host = stack.running().functions().expect("the functions");
    host.kill("NotifierFunction");
    proxy.cut();
    for number in 1..=5 {
        stack.update("room", number).await;
        stack
            .put_event("Broadcast", json!({"message": number}))
            .await;
    }
    let mut of_room = Vec::new();
    let mut of_everyone = Vec::new();
    for _ in 1..=5 {
        of_room.push(number(room.next_event()).await);
        of_everyone.push(number(broadcasts.next_event()).await);
    }
    of_room.sort_unstable();
    of_everyone.sort_unstable();
    assert_eq!(
        (of_room, of_everyone),
        (vec![1, 2, 3, 4, 5], vec![1, 2, 3, 4, 5])
    );
    assert_eq!(room.position().expect("a log").offset, 5);
    assert_eq!(broadcasts.position().expect("a log").offset, 6);
    stack.stop().await;
}

/// Each notifier of a minute dies once its message has its offset.
#[tokio::test]
async fn messages_of_a_minute_without_notifier_come_after_the_visibility_timeout() {
    const MESSAGES: usize = 6;
    let stack = TestStack::start_with_history().await;
    let mut subject = Subject::start(&stack).await;
    stack.update("room", 0).await;
    let before = subject.receive(1).await;
    assert_eq!(before, [(1, 0)]);
    let start = subject.room.position().expect("a log");

    let crashes = stack.running().crashes();
    let clock = stack.running().queues().clock();
    crashes.set(DiesAfter::default().with(Step::Counter, 1.0));
    for message in 1..=MESSAGES {
        stack.update("room", message).await;
        until("a notifier died", || {
            crashes.killed_after(Step::Counter) >= message
        })
        .await;
        clock.advance(Duration::from_secs(10));
    }
    crashes.set(DiesAfter::default());
    assert_eq!(crashes.killed_after(Step::Counter), MESSAGES);
    // The rest of the visibility timeout of the last message.
    clock.advance(Duration::from_secs(360));

    let received = subject.receive(MESSAGES).await;
    let log = subject
        .client
        .history(entity("room"), History::since(&start))
        .await
        .expect("an excerpt");
    let log: Vec<(u64, usize)> = log
        .messages
        .iter()
        .map(|push| {
            let offset = push.position().expect("a position").offset;
            (offset, push.message().expect("a number"))
        })
        .collect();
    assert_eq!(received, log);
    let mut numbers: Vec<_> = received.iter().map(|(_, number)| *number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=MESSAGES).collect::<Vec<_>>());
    stack.stop().await;
}

#[tokio::test]
async fn saved_position_rewind_and_history_read_the_log() {
    let stack = TestStack::start_with_history().await;
    let client = stack.client().await;
    let mut room = client
        .subscribe(entity("room"))
        .await
        .expect("a subscription");
    assert_eq!(room.position(), Some(Position::START));
    for message in 1..=4 {
        stack.update("room", message).await;
        assert_eq!(number(room.next_event()).await, message);
        assert_eq!(room.position().expect("a log").offset, message as u64);
    }
    let end = room.position().expect("a log");
    let second = Position {
        offset: 2,
        ..end.clone()
    };

    let recovered = SubscribeOptions::new().recover(second.clone());
    let (_other, mut recovered) = subscribe(&stack, recovered).await;
    assert_eq!(recovered.position(), Some(second));
    assert_eq!(number(recovered.next_event()).await, 3);
    assert_eq!(number(recovered.next_event()).await, 4);

    let (_other, mut rewound) = subscribe(&stack, SubscribeOptions::new().rewind(1)).await;
    assert_eq!(rewound.position().expect("a log").offset, 3);
    assert_eq!(number(rewound.next_event()).await, 4);

    let unknown = Position::after(Epoch::new("aaaaaaaa").expect("an epoch"), 1);
    let (_other, mut lost) = subscribe(&stack, SubscribeOptions::new().recover(unknown)).await;
    let told = in_time("the loss is told", lost.next_event()).await;
    assert_eq!(told, Ok(Next::Lost(Some(end.clone()))));

    let last = client.history(entity("room"), History::last(2)).await;
    let last = last.expect("an excerpt");
    let offsets: Vec<_> = last
        .messages
        .iter()
        .map(|push| push.position().expect("a position").offset)
        .collect();
    assert_eq!(
        (offsets, last.position, last.top),
        (vec![3, 4], Some(end), 4)
    );
    stack.stop().await;
}

#[tokio::test]
async fn state_is_loaded_from_the_log_and_followed_by_what_comes_after_it() {
    let stack = TestStack::start_with_history().await;
    let backend = stack.client().await;
    let mut witness = backend
        .subscribe(entity("room"))
        .await
        .expect("a subscription");
    for message in 1..=2 {
        stack.update("room", message).await;
        assert_eq!(number(witness.next_event()).await, message);
    }
    let state = move || {
        let backend = backend.clone();
        async move {
            let position = backend.history(entity("room"), History::last(0)).await?;
            let messages = backend.history(entity("room"), History::last(300)).await?;
            let state = messages.messages.len();
            Ok::<_, RequestError>(Snapshot::new(position.position, state))
        }
    };
    let client = stack.client().await;
    let room = client.subscribe_with_state(entity("room"), state);
    let mut room = in_time("subscribed", room).await.expect("a state");
    assert_eq!(in_time("a state", room.next()).await, Ok(Update::State(2)));
    stack.update("room", 3).await;
    let Ok(Update::Message(push)) = in_time("a push arrived", room.next()).await else {
        panic!("no push");
    };
    assert_eq!(push.message::<usize>().expect("a number"), 3);
    assert_eq!(room.position().expect("a log").offset, 3);
    stack.stop().await;
}

#[tokio::test]
async fn logs_of_the_user_and_of_everyone_are_read() {
    let stack = TestStack::start_with_history_and(Authentication::Secret).await;
    let permissions = json!({"**": ["subscribe", "publish", "history"]});
    let options = stack.tokens("alice", permissions, 600);
    let client = connect(stack.web_socket(), options).await;
    let mut notifications = client.notifications();
    let mut broadcasts = client.broadcasts();
    for message in 1..=2 {
        let notification = json!({"userId": "alice", "message": message});
        stack
            .put_event("Send User Push Notification", notification)
            .await;
        stack
            .put_event("Broadcast", json!({"message": message}))
            .await;
        assert_eq!(number(notifications.next_event()).await, message);
        assert_eq!(number(broadcasts.next_event()).await, message);
    }
    for of in [LogName::User, LogName::Everyone] {
        let all = History::since(&Position::START).limit(1);
        let first = client.history(of.clone(), all).await.expect("an excerpt");
        let messages: Vec<usize> = first
            .messages
            .iter()
            .map(|push| push.message().expect("a number"))
            .collect();
        assert_eq!((messages, first.top, first.more), (vec![1], 2, true));
        let last = client.history(of, History::last(1)).await;
        let position = last.expect("an excerpt").position;
        assert_eq!(position.expect("a log").offset, 2);
    }
    stack.stop().await;
}

#[tokio::test]
async fn stack_without_logs_has_neither_positions_nor_losses() {
    let stack = TestStack::start().await;
    let mut subject = Subject::start(&stack).await;
    let mut broadcasts = subject.client.broadcasts();
    stack.update("room", 1).await;
    assert_eq!(number(subject.room.next_event()).await, 1);
    assert_eq!(subject.room.position(), None);
    subject.proxy.cut();
    let echo = subject.client.send(Message::echo(2).safe_to_repeat());
    in_time("the client is back", echo).await.expect("an echo");
    // The echo may overtake the subscription's acknowledgement: each has its own invocation.
    let mut states = subject.client.states();
    let open = states.wait_for(|state| *state == ConnectionState::Open);
    let _ = in_time("the subscription is established again", open).await;
    stack.update("room", 3).await;
    assert_eq!(number(subject.room.next_event()).await, 3);
    stack.put_event("Broadcast", json!({"message": 4})).await;
    assert_eq!(number(broadcasts.next_event()).await, 4);
    let history = subject
        .client
        .history(entity("room"), History::last(1))
        .await;
    let Err(RequestError::Server(error)) = history else {
        panic!("there is no log: {history:?}");
    };
    assert_eq!(error.code(), Some(ErrorCode::BadRequest));
    stack.stop().await;
}

async fn subscribe(stack: &TestStack, options: SubscribeOptions) -> (Client, Subscription) {
    let client = stack.client().await;
    let subscription = client.subscribe_with(entity("room"), options).await;
    (client, subscription.expect("a subscription"))
}

async fn number(
    next: impl Future<Output = Result<Next, herald_client::SubscriptionError>>,
) -> usize {
    match in_time("a push arrived", next).await {
        Ok(Next::Message(push)) => push.message().expect("a number"),
        other => panic!("no push: {other:?}"),
    }
}

struct Subject {
    client: Client,
    proxy: Proxy,
    room: Subscription,
}

impl Subject {
    async fn start(stack: &TestStack) -> Self {
        let proxy = Proxy::start(stack.address()).await;
        let options = Options::new().back_off(Duration::from_millis(100), Duration::from_secs(1));
        let client = connect(&proxy.web_socket(), options).await;
        let room = client.subscribe(entity("room")).await;
        Self {
            client,
            proxy,
            room: room.expect("a subscription"),
        }
    }

    /// Returns the offsets and numbers of so many messages, which have no gap.
    async fn receive(&mut self, count: usize) -> Vec<(u64, usize)> {
        let mut received: Vec<(u64, usize)> = Vec::new();
        while received.len() < count {
            let message = number(self.room.next_event()).await;
            let offset = self.room.position().expect("a log").offset;
            let last = received.last().map_or(0, |(offset, _)| *offset);
            assert!(offset > last, "{offset} after {last}");
            received.push((offset, message));
        }
        received
    }
}
