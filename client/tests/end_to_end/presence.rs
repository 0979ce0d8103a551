//! Presence against a scripted server, and against the local stack.

use std::time::Duration;

use herald_client::{
    Client, ErrorCode, Member, Options, Presence, PresenceChange, PresenceChanges, RequestError,
    SubscribeOptions, Subscription,
};
use serde_json::{Value, json};

use crate::{
    harness::{TestStack, connect, entity, in_time, until},
    proxy::Proxy,
    relay::Relay,
    scripted_server::{ScriptedServer, ServerConnection},
};

fn options() -> Options {
    Options::new()
        .back_off(Duration::from_millis(1), Duration::from_millis(10))
        .presence_spread(Duration::ZERO)
}

/// Starts a client with an open connection.
async fn start(server: &ScriptedServer) -> (Client, ServerConnection) {
    let client = Client::start(&server.web_socket(), options()).expect("an address");
    (client, server.accept().await)
}

/// Answers the next request with a snapshot, and returns the request.
async fn answer(served: &mut ServerConnection, presence: Value) -> Value {
    let request = served.frame().await.expect("a request");
    let ack = json!({"type": "ack", "action": request["action"], "id": request["id"], "entityId": "room", "presence": presence});
    served.send(ack).await;
    request
}

async fn change(
    served: &mut ServerConnection,
    version: u64,
    count: u64,
    joined: &[&str],
    left: &[&str],
) {
    let frame = json!({"type": "presence", "entityId": "room", "version": version, "count": count, "joined": list(joined), "left": list(left)});
    served.send(frame).await;
}

fn snapshot(version: u64, users: &[&str]) -> Value {
    json!({"version": version, "count": users.len(), "members": list(users)})
}

fn list(users: &[&str]) -> Value {
    let member = |user: &&str| json!({"userId": user, "connections": 1});
    users.iter().map(member).collect()
}

/// Subscribes to the room with presence. Returns the request, too.
async fn subscribe(
    client: &Client,
    served: &mut ServerConnection,
    users: &[&str],
) -> (Subscription, Value) {
    let options = SubscribeOptions::new().presence();
    let subscription = client.subscribe_with(entity("room"), options);
    let (subscription, request) = tokio::join!(subscription, answer(served, snapshot(17, users)));
    (subscription.expect("a subscription"), request)
}

async fn next(changes: &mut PresenceChanges) -> PresenceChange {
    let change = in_time("the presence changed", changes.next()).await;
    change.expect("not the end")
}

fn ids(members: &[Member]) -> Vec<&str> {
    let ids = members.iter().map(|member| member.user_id.as_str());
    ids.collect()
}

fn names(presence: &Presence) -> Vec<&str> {
    let members = presence.members.iter().flatten();
    members.map(|(user, _)| user.as_str()).collect()
}

#[tokio::test]
async fn set_is_there_once_the_subscription_is_and_follows_the_changes() {
    let server = ScriptedServer::start().await;
    let (client, mut served) = start(&server).await;
    let (room, request) = subscribe(&client, &mut served, &["alice", "bob"]).await;
    assert_eq!(
        request,
        json!({"action": "subscribe", "entityId": "room", "presence": true, "id": "1"})
    );
    assert_eq!(names(&room.presence().expect("a set")), ["alice", "bob"]);
    let mut changes = room.presence_changes();
    assert_eq!(ids(&next(&mut changes).await.joined), ["alice", "bob"]);

    change(&mut served, 18, 2, &["carol"], &["bob"]).await;
    let told = next(&mut changes).await;
    assert_eq!(
        (ids(&told.joined), ids(&told.left)),
        (vec!["carol"], vec!["bob"])
    );
    assert_eq!(names(&told.presence.expect("a set")), ["alice", "carol"]);

    // A later subscriber begins with everybody.
    let later = client.subscribe_with(entity("room"), SubscribeOptions::new().presence());
    let later = in_time("subscribed", later).await.expect("a subscription");
    let mut of_later = later.presence_changes();
    assert_eq!(ids(&next(&mut of_later).await.joined), ["alice", "carol"]);

    drop((room, later));
    assert_eq!(served.acknowledge().await["action"], "unsubscribe");
    assert_eq!(in_time("the changes ended", changes.next()).await, None);
    assert_eq!(in_time("the changes ended", of_later.next()).await, None);
}

#[tokio::test]
async fn reconnect_and_jump_are_healed_by_a_snapshot() {
    let server = ScriptedServer::start().await;
    let (client, mut served) = start(&server).await;
    let (room, _) = subscribe(&client, &mut served, &["alice", "bob"]).await;
    let mut changes = room.presence_changes();
    next(&mut changes).await;

    client.break_connection();
    served.broken().await;
    let mut served = server.accept().await;
    assert_eq!(
        names(&room.presence().expect("the last set")),
        ["alice", "bob"]
    );
    let request = answer(&mut served, snapshot(3, &["alice", "carol"])).await;
    assert_eq!(request["presence"], true);
    let told = next(&mut changes).await;
    assert_eq!(
        (ids(&told.joined), ids(&told.left)),
        (vec!["carol"], vec!["bob"])
    );

    change(&mut served, 5, 3, &["dave"], &[]).await;
    let request = answer(&mut served, snapshot(5, &["alice", "dave"])).await;
    assert_eq!(request["action"], "presence");
    let told = next(&mut changes).await;
    assert_eq!(
        (ids(&told.joined), ids(&told.left)),
        (vec!["dave"], vec!["carol"])
    );

    let read = client.presence(entity("room"));
    let (read, _) = tokio::join!(
        read,
        answer(&mut served, json!({"version": 6, "count": 900}))
    );
    let read = read.expect("a set");
    assert_eq!((read.count, read.members), (900, None));
}

#[tokio::test]
async fn refused_presence_is_told_once_and_the_subscription_goes_on() {
    let server = ScriptedServer::start().await;
    let (client, mut served) = start(&server).await;
    let options = SubscribeOptions::new().presence();
    let refuse = async {
        let request = served.frame().await.expect("a request");
        served.send(json!({"type": "error", "id": request["id"], "code": "forbidden", "message": "no", "retryable": false})).await;
        served.acknowledge().await
    };
    let (room, request) = tokio::join!(client.subscribe_with(entity("room"), options), refuse);
    assert_eq!(
        request,
        json!({"action": "subscribe", "entityId": "room", "id": "2"})
    );
    let mut room = room.expect("a subscription");
    assert_eq!(room.presence(), None);
    let told = next(&mut room.presence_changes()).await;
    let Some(RequestError::Server(error)) = told.error else {
        panic!("{told:?}");
    };
    assert_eq!(
        (error.code(), told.presence),
        (Some(ErrorCode::Forbidden), None)
    );
    served
        .send(json!({"type": "Entity Updated", "entityId": "room", "message": 1, "eventId": "e1"}))
        .await;
    assert!(in_time("a push arrived", room.recv()).await.is_ok());
}

#[tokio::test]
async fn subscription_without_presence_is_told_none_and_ends_it_when_it_stays_alone() {
    let server = ScriptedServer::start().await;
    let (client, mut served) = start(&server).await;
    let (watched, _) = subscribe(&client, &mut served, &["alice"]).await;
    let plain = in_time("subscribed", client.subscribe(entity("room")));
    let plain = plain.await.expect("a subscription");
    assert_eq!(plain.presence(), None);
    let mut changes = plain.presence_changes();
    assert_eq!(in_time("no change", changes.next()).await, None);
    drop(watched);
    let request = served.acknowledge().await;
    assert_eq!(
        request,
        json!({"action": "subscribe", "entityId": "room", "id": "2"})
    );
}

/// Returns the options of a user who may see presence.
fn user(stack: &TestStack, name: &str) -> Options {
    let permissions = json!({"**": ["subscribe", "publish", "presence"]});
    stack
        .tokens(name, permissions, 3600)
        .back_off(Duration::from_millis(200), Duration::from_secs(2))
        .presence_spread(Duration::ZERO)
}

/// Connects a user, and subscribes to the room.
async fn join(stack: &TestStack, address: &str, name: &str) -> (Client, Subscription) {
    let client = connect(address, user(stack, name)).await;
    let options = SubscribeOptions::new().presence();
    let room = client.subscribe_with(entity("room"), options);
    let room = in_time("subscribed", room).await.expect("a subscription");
    (client, room)
}

/// Waits until exactly these users are in the room.
async fn are_here(room: &Subscription, users: &[&str]) {
    let are_here = || {
        room.presence()
            .is_some_and(|presence| names(&presence) == users)
    };
    until(&format!("{users:?} are here"), are_here).await;
}

#[tokio::test]
async fn users_who_join_and_leave_are_told_and_a_reconnect_heals_the_set() {
    let stack = TestStack::start_with_presence().await;
    let proxy = Proxy::start(stack.address()).await;
    let (_alice, room) = join(&stack, &proxy.web_socket(), "alice").await;
    let mut changes = room.presence_changes();
    are_here(&room, &["alice"]).await;
    let (_bob, of_bob) = join(&stack, stack.web_socket(), "bob").await;
    are_here(&of_bob, &["alice", "bob"]).await;
    are_here(&room, &["alice", "bob"]).await;
    drop(of_bob);
    are_here(&room, &["alice"]).await;
    let mut seen = Vec::new();
    while seen.last() != Some(&"bob left".to_owned()) {
        let change = next(&mut changes).await;
        seen.extend(
            ids(&change.joined)
                .iter()
                .map(|user| format!("{user} joined")),
        );
        seen.extend(ids(&change.left).iter().map(|user| format!("{user} left")));
    }
    assert_eq!(seen.first(), Some(&"alice joined".to_owned()));

    proxy.cut();
    let (_carol, of_carol) = join(&stack, stack.web_socket(), "carol").await;
    are_here(&room, &["alice", "carol"]).await;
    are_here(&of_carol, &["alice", "carol"]).await;
    stack.stop().await;
}

#[tokio::test]
async fn lost_change_is_asked_about() {
    let stack = TestStack::start_with_presence().await;
    let relay = Relay::start(stack.web_socket()).await;
    let (_alice, room) = join(&stack, relay.web_socket(), "alice").await;
    let (_witness, of_witness) = join(&stack, stack.web_socket(), "witness").await;
    are_here(&room, &["alice", "witness"]).await;
    relay.lose_presence();
    let (_bob, _of_bob) = join(&stack, stack.web_socket(), "bob").await;
    // The snapshot of the new subscriber precedes the change, so the loss is awaited too.
    are_here(&of_witness, &["alice", "bob", "witness"]).await;
    until("the change is lost", || relay.has_lost()).await;
    let asked = relay.presence_requests();
    let (_carol, _of_carol) = join(&stack, stack.web_socket(), "carol").await;
    are_here(&room, &["alice", "bob", "carol", "witness"]).await;
    assert!(relay.presence_requests() > asked);
    stack.stop().await;
}
