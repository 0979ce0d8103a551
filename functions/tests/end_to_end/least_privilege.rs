//! The least privilege of functions: whichever permission is revoked, one call is refused in a scenario
//! that otherwise succeeds.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, resume_unwind},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{FutureExt, StreamExt, stream};
use herald_local::{
    Authentication, gateway,
    iam::{Denied, Effect, Revoked},
    sqs::{self, Content, MessageState},
    template::{Settings, Stack},
};
use herald_shared::{
    audience::Audience,
    ids::{ConnectionId, EntityId, UserId},
    log::{Claim, Claimed, ClaimedEvent, Epoch, EventTag, LogRows, LogTable, Retention},
    presence::{DynamoDbMemberRows, MemberRow, MemberRows, Members, Presence},
    queue::memory::MemoryQueues,
    store::{ConnectionStore, ConnectionTable, Subscribed, Subscription},
};
use herald_testkit::local_only;
use serde_json::json;
use uuid::Uuid;

use crate::{
    ending::end_token,
    harness::{Client, EVERYTHING, LEFT_BEHIND, TestStack, old, repository, until},
    http_client::send,
    proxy::Proxy,
    publishing::{KEY_ID, entry, everything, key},
};

/// The only mode in which the authorizer makes a call.
const AUTHENTICATION: Authentication = Authentication::Secret;

/// The entity with a log.
const LOGGED: &str = "logged:1";

/// The entity with presence.
const SEEN: &str = "seen:1";

/// The number of stacks that run at once.
const AT_ONCE: usize = 4;

#[local_only("revokes permissions of functions")]
#[tokio::test]
async fn every_granted_permission_is_needed() {
    let granted = granted();
    assert!(granted.len() > 15, "only {granted:?}");
    let unused: Vec<_> = stream::iter(granted)
        .map(|permission| async { (!is_needed(&permission).await).then_some(permission) })
        .buffer_unordered(AT_ONCE)
        .filter_map(|unused| async { unused })
        .collect()
        .await;
    assert!(unused.is_empty(), "not needed: {unused:#?}");
}

#[local_only("revokes permissions of functions")]
#[tokio::test]
async fn granted_permissions_suffice() {
    let (stack, bus) = start_without(vec![]).await.unwrap();
    scenario(&stack, &bus).await;
    stack.stop().await;
}

/// Returns each action that the template grants a function, on each of its resources.
fn granted() -> Vec<Revoked> {
    let endpoint = "http://127.0.0.1:3030";
    let settings = Settings {
        parameters: parameters(),
        defaults: AUTHENTICATION.parameters(endpoint),
        ..Settings::new(endpoint)
    };
    let stack = Stack::read(&repository().join("template.yaml"), &settings).unwrap();
    let mut granted = Vec::new();
    for role in &stack.roles {
        let mut statements = role.policies.iter();
        assert!(statements.all(|statement| statement.effect == Effect::Allow));
        for statement in &role.policies {
            for (action, resource) in pairs(&statement.actions, &statement.resources) {
                granted.push(Revoked {
                    function: role.function.clone(),
                    action: action.clone(),
                    resource: Some(resource.clone()),
                });
            }
        }
    }
    granted
}

fn pairs<'a, T>(some: &'a [T], others: &'a [T]) -> impl Iterator<Item = (&'a T, &'a T)> {
    some.iter()
        .flat_map(|one| others.iter().map(move |other| (one, other)))
}

/// Returns whether the scenario or the start of the stack fails without a permission.
async fn is_needed(permission: &Revoked) -> bool {
    let (stack, bus) = match start_without(vec![permission.clone()]).await {
        Ok(started) => started,
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains("does not allow"), "{permission:?}: {error}");
            return true;
        }
    };
    let mut refused = stack.running().refused();
    let scenario = AssertUnwindSafe(scenario(&stack, &bus)).catch_unwind();
    let panicked = tokio::select! {
        // A scenario may wait for ever because of the refusal.
        _ = refused.wait_for(Option::is_some) => None,
        ended = scenario => ended.err(),
    };
    let denied = stack.running().refused().borrow().clone();
    if let (Some(panic), None) = (panicked, &denied) {
        resume_unwind(panic);
    }
    stack.stop_after_refusals().await;
    denied.is_some_and(|denied| {
        assert!(
            is_about(&denied, permission),
            "{denied} but {permission:?} was revoked"
        );
        true
    })
}

/// Returns whether a refusal is due to the revoked permission.
fn is_about(denied: &Denied, permission: &Revoked) -> bool {
    denied.function == permission.function && denied.action.eq_ignore_ascii_case(&permission.action)
}

/// Starts a stack whose functions reach the bus through a proxy.
async fn start_without(revoked: Vec<Revoked>) -> anyhow::Result<(TestStack, Proxy)> {
    let bus = Proxy::start().await;
    let stack = TestStack::try_start_with(|config| {
        config.authentication = AUTHENTICATION;
        config.parameters = parameters();
        config.faults.revoked = revoked;
        let endpoint = (
            "AWS_ENDPOINT_URL_EVENTBRIDGE".to_owned(),
            bus.endpoint.clone(),
        );
        config.environment.extend([endpoint]);
    });
    let stack = stack.await?;
    bus.forward_to(&stack.running().addresses().endpoint);
    Ok((stack, bus))
}

fn parameters() -> BTreeMap<String, String> {
    // So low that the second subscription is refused.
    let subscriptions = ("SubscriptionsPerConnection", "1");
    // The number of connections that are left behind.
    let connections = ("ConnectionsPerUser", "10");
    let history = ("History", r#"{"logged:*":{"messages":100,"seconds":600}}"#);
    let presence = ("Presence", r#"{"seen:*":{"interval":1}}"#);
    let publish = ("PublishKeys", "create");
    let poll = ("Poll", "on");
    let kinds = r#"{"$connections":["opened","closed"],"**":["subscribed","unsubscribed"]}"#;
    let backend = ("BackendEvents", kinds);
    [
        subscriptions,
        connections,
        history,
        presence,
        publish,
        poll,
        backend,
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Makes every function use all its permissions.
async fn scenario(stack: &TestStack, bus: &Proxy) {
    messages(stack).await;
    recovery(stack).await;
    presence(stack).await;
    publishing(stack).await;
    polling(stack).await;
    subscribe_overtaken_by_unsubscribe(stack).await;
    renewal(stack).await;
    push_that_fails_at_first(stack).await;
    dead_letter(stack).await;
    disconnected_user(stack).await;
    user_at_the_limit(stack).await;
    record_that_fails_at_first(stack).await;
    ended_token(stack).await;
    gone_connection(stack).await;
    disconnect(stack).await;
    bus_that_hangs(stack, bus).await;
}

async fn messages(stack: &TestStack) {
    let mut subscriber = stack.client_of("ann").await;
    let mut sender = stack.client_of("ann").await;
    subscriber.subscribe("order-1").await;
    let second = json!({"action": "subscribe", "entityId": "order-2"});
    assert_eq!(subscriber.ask(second).await["code"], "too_many");
    let message = json!({"action": "sendMessage", "entityId": "order-1", "message": "hello"});
    assert_eq!(sender.ask(message).await["type"], "ack");
    assert_eq!(subscriber.frame().await["message"], "hello");
    let unsubscribe = json!({"action": "unsubscribe", "entityId": "order-1"});
    assert_eq!(subscriber.ask(unsubscribe).await["type"], "ack");
}

/// The log of [`LOGGED`] has an event and a message of a client, and the hole of a notifier that stopped. The
/// reader of `history` fills it.
async fn recovery(stack: &TestStack) {
    let mut client = stack.client_of("ann").await;
    let mut sender = stack.client_of("ann").await;
    let begin = json!({"offset": 0});
    let subscribe = json!({"action": "subscribe", "entityId": LOGGED, "recover": begin});
    assert_eq!(client.ask(subscribe.clone()).await["recovered"], true);
    let detail = json!({"entityId": LOGGED, "message": "of a service"});
    stack.put_event("Entity Updated", detail).await;
    let event = client.frame().await;
    let message = json!({"action": "sendMessage", "entityId": LOGGED, "message": "of a client"});
    assert_eq!(sender.ask(message).await["offset"], 2);
    let pushes = json!([event, client.frame().await]);
    assert_eq!(client.ask(subscribe).await["messages"], pushes);
    assert_eq!(abandon_an_offset(stack).await, 3);
    let history = json!({"action": "history", "entityId": LOGGED, "since": begin});
    let read = client.ask(history).await;
    assert_eq!(
        (&read["messages"], &read["offset"]),
        (&pushes, &json!(3)),
        "{read}"
    );
}

/// A member joins and leaves before a watcher, and pings bring a lost row back.
async fn presence(stack: &TestStack) {
    let entity = EntityId::new(SEEN).unwrap();
    let mut watcher = stack.client_of("ann").await;
    let watch = json!({"action": "subscribe", "entityId": SEEN, "presence": true});
    let ack = watcher.ask(watch).await;
    assert_eq!(ack["presence"]["count"], 1, "{ack}");
    let next = async |watcher: &mut Client, count: u64| {
        let frame = watcher.frame().await;
        assert_eq!(
            (&frame["type"], &frame["count"]),
            (&json!("presence"), &json!(count))
        );
    };
    next(&mut watcher, 1).await;
    let mut member = stack.client_of("bob").await;
    member.subscribe(SEEN).await;
    next(&mut watcher, 2).await;
    let rows = members(stack);
    for keep_alive in [
        json!({"action": "ping"}),
        json!({"action": "sync", "user": {}}),
    ] {
        let page = rows.members(&entity, None).await.unwrap();
        let of_bob = |row: &&MemberRow| row.member.user == UserId::new("bob").ok();
        let row = page.rows.iter().find(of_bob).unwrap();
        rows.remove(&entity, row).await.unwrap();
        member.ask(keep_alive).await;
        next(&mut watcher, 2).await;
    }
    let unsubscribe = json!({"action": "unsubscribe", "entityId": SEEN});
    assert_eq!(member.ask(unsubscribe).await["type"], "ack");
    next(&mut watcher, 1).await;
    member.subscribe(SEEN).await;
    next(&mut watcher, 2).await;
    member.close().await;
    next(&mut watcher, 1).await;
}

fn members(stack: &TestStack) -> DynamoDbMemberRows {
    let client = aws_sdk_dynamodb::Client::new(stack.aws());
    DynamoDbMemberRows::new(client, &stack.addresses().table)
}

/// Makes connections that were left behind members, as a subscribe a minute ago did. The flush of it was lost.
async fn leave_members(stack: &TestStack, connections: usize) {
    let client = aws_sdk_dynamodb::Client::new(stack.aws());
    let presence = Presence::from_json(r#"{"seen:*":{}}"#).unwrap();
    let a_minute_ago = || SystemTime::now() - Duration::from_secs(60);
    let members = Members::new(
        members(stack),
        MemoryQueues::default(),
        presence,
        a_minute_ago,
    );
    let store = ConnectionTable::new(client, &stack.addresses().table).tracking(members);
    for number in 0..connections {
        let subscription = Subscription {
            connection: &ConnectionId::new(format!("{LEFT_BEHIND}{number}gIEm4LQ=")).unwrap(),
            connected_at: a_minute_ago(),
            token_expires_at: None,
            entities: &[EntityId::new("seen:2").unwrap()],
            watched: &[],
            user: Some(&UserId::new("max").unwrap()),
            info: None,
        };
        let subscribed = store.subscribe(subscription, 1).await.unwrap();
        assert_eq!(subscribed, [Subscribed::Stored]);
    }
}

/// Takes an offset, as a notifier did that stopped a minute ago before it stored the message. Returns the
/// offset.
async fn abandon_an_offset(stack: &TestStack) -> u64 {
    let table = &stack.running().addresses().tables["HistoryTable"];
    let log = LogTable::new(aws_sdk_dynamodb::Client::new(stack.aws()), table);
    let entity = Audience::Entity(EntityId::new(LOGGED).unwrap());
    let a_minute_ago = SystemTime::now() - Duration::from_secs(60);
    let claim = Claim {
        events: &[ClaimedEvent {
            tag: EventTag::of(&Uuid::new_v4().to_string()),
            lost: None,
        }],
        retention: Retention::Seconds(600),
        new_epoch: &Epoch::random(),
        now: a_minute_ago.duration_since(UNIX_EPOCH).unwrap(),
        last: None,
    };
    let claimed = log.rows().claim(&entity, claim).await.unwrap();
    let Claimed::Made(head) = claimed else {
        panic!("{claimed:?}")
    };
    head.top
}

/// A server publishes into the log, onto the queue and over the bus.
async fn publishing(stack: &TestStack) {
    let outputs = &stack.running().stack().outputs;
    let keys = json!({KEY_ID: entry(&everything())}).to_string();
    let secrets = aws_sdk_secretsmanager::Client::new(stack.aws());
    let put = secrets
        .put_secret_value()
        .secret_id(&outputs["PublishKeysArn"]);
    put.secret_string(keys).send().await.unwrap();
    let bearer = format!("Bearer {}", key(KEY_ID));
    let headers = [
        ("authorization", &*bearer),
        ("content-type", "application/json"),
    ];
    for bus in [false, true] {
        let message = json!({"entityId": "logged:published", "message": 1});
        let request = json!({"messages": [message], "bus": bus}).to_string();
        let answer = send("POST", &outputs["PublishUrl"], &headers, request).await;
        assert!(
            answer.json()["results"][0]["eventId"].is_string(),
            "{answer:?}"
        );
    }
}

/// A client that polls sends a message, reads it, and fills the hole of a notifier that stopped.
async fn polling(stack: &TestStack) {
    let url = &stack.running().stack().outputs["PollUrl"];
    let bearer = format!("Bearer {}", stack.token("ann", EVERYTHING));
    let headers = [
        ("authorization", &*bearer),
        ("content-type", "application/json"),
    ];
    let post = async |path: &str, request: serde_json::Value| {
        let url = format!("{url}{path}");
        send("POST", &url, &headers, request.to_string())
            .await
            .json()
    };
    let message = json!({"entityId": LOGGED, "message": "of a poller"});
    let sent = post("messages", message).await;
    assert_eq!(sent["offset"], 4, "{sent}");
    let claimed = abandon_an_offset(stack).await;
    assert_eq!(claimed, 5);
    let since = json!({"epoch": sent["epoch"], "offset": 3});
    let polled = post("poll", json!({"entities": {LOGGED: since}})).await;
    let log = &polled["entities"][LOGGED];
    assert_eq!(log["messages"][0]["message"], "of a poller", "{polled}");
    assert_eq!(log["offset"], claimed, "{polled}");
}

/// An unsubscribe runs between the writes of a subscribe, which then deletes its row.
async fn subscribe_overtaken_by_unsubscribe(stack: &TestStack) {
    let mut client = stack.client_of("ann").await;
    let mut held = stack.running().dynamodb().hold("PutItem", "order-6");
    let request = |action| json!({"action": action, "entityId": "order-6", "id": action});
    client.send_text(&request("subscribe").to_string()).await;
    held.arrived().await;
    let unsubscribed = client.ask(request("unsubscribe")).await;
    assert_eq!(unsubscribed["type"], "ack", "{unsubscribed}");
    drop(held);
    let refused = client.frame().await;
    assert_eq!(
        (&refused["id"], &refused["code"]),
        (&json!("subscribe"), &json!("throttled"))
    );
    let rows = stack.rows().await;
    assert!(
        !rows
            .iter()
            .any(|row| format!("{row:?}").contains("order-6")),
        "{rows:?}"
    );
}

async fn renewal(stack: &TestStack) {
    let mut client = stack.client_of("ann").await;
    client.subscribe("order-2").await;
    let authenticate = json!({"action": "authenticate", "token": stack.token("ann", EVERYTHING)});
    assert_eq!(client.ask(authenticate).await["type"], "ack");
}

/// The notifier requeues the undelivered push.
async fn push_that_fails_at_first(stack: &TestStack) {
    let mut client = stack.client_of("ann").await;
    client.subscribe("order-3").await;
    stack.running().gateway().set_faults(gateway::Faults {
        failing: 1.0,
        ..Default::default()
    });
    let detail = json!({"entityId": "order-3", "message": "at last"});
    stack.put_event("Entity Updated", detail).await;
    until("the push is requeued", async || {
        let waiting = stack.messages("NotificationQueue");
        let is_second = |body: &str| body.contains(r#""attempt":2"#);
        waiting
            .iter()
            .any(|message| is_second(&message.content.body))
    })
    .await;
    stack.running().gateway().set_faults(Default::default());
    let clock = stack.running().queues().clock();
    clock.advance(Duration::from_secs(60));
    assert_eq!(client.frame().await["message"], "at last");
}

async fn dead_letter(stack: &TestStack) {
    let queues = stack.notifications();
    queues.notify(&["no push".to_owned()]).await;
    until("the record is a dead letter", async || {
        !stack.messages("NotificationDeadLetterQueue").is_empty()
    })
    .await;
}

async fn disconnected_user(stack: &TestStack) {
    let mut client = stack.client_of("eve").await;
    let detail = json!({"userId": "eve"});
    stack.put_event("Disconnect User", detail).await;
    assert_eq!(client.frame().await["type"], "disconnect");
    client.closed().await;
}

/// The connections of a user at the limit turn out to be closed.
async fn user_at_the_limit(stack: &TestStack) {
    stack.leave_connections_of("max", 10).await;
    leave_members(stack, 10).await;
    stack.client_of("max").await;
    let rows = stack.rows().await;
    assert!(
        !rows
            .iter()
            .any(|row| format!("{row:?}").contains(LEFT_BEHIND)),
        "{rows:?}"
    );
}

/// A record that neither queue accepts is delivered again in seconds.
async fn record_that_fails_at_first(stack: &TestStack) {
    let queues = stack.running().queues();
    let dead_letters = stack.messages("NotificationDeadLetterQueue").len();
    queues.set_faults(sqs::Faults {
        failing_sends: 1.0,
        ..Default::default()
    });
    let poison = Content::text("another poison");
    queues
        .send_to(stack.queue("NotificationQueue"), poison, None)
        .unwrap();
    until("the record is released", async || {
        let soon = queues.clock().now() + Duration::from_secs(60);
        let waiting = stack.messages("NotificationQueue");
        waiting
            .iter()
            .any(|message| matches!(message.state, MessageState::InFlight(until) if until < soon))
    })
    .await;
    queues.set_faults(Default::default());
    queues.clock().advance(Duration::from_secs(60));
    until("the record is a dead letter", async || {
        stack.messages("NotificationDeadLetterQueue").len() > dead_letters
    })
    .await;
}

/// The notifier reads the token before it closes the connection.
async fn ended_token(stack: &TestStack) {
    let mut client = stack.client_of("joe").await;
    client.subscribe("order-6").await;
    end_token(stack, "joe").await;
    let detail = json!({"entityId": "order-6", "message": "too late"});
    stack.put_event("Entity Updated", detail).await;
    assert_eq!(client.frame().await["code"], "token_expired");
    client.closed().await;
}

/// All rows of a connection that no longer exists are removed at the next push.
async fn gone_connection(stack: &TestStack) {
    stack
        .leave_behind("PcQeDRO4gIEm4LQ=", "order-4", old())
        .await;
    let detail = json!({"entityId": "order-4", "message": "too late"});
    stack.put_event("Entity Updated", detail).await;
    until("all rows are gone", async || stack.rows().await.is_empty()).await;
}

async fn disconnect(stack: &TestStack) {
    let mut client = stack.client_of("ann").await;
    client.subscribe("order-5").await;
    client.close().await;
    until("all rows are gone", async || stack.rows().await.is_empty()).await;
}

/// Events that the bus does not accept go to the queue.
async fn bus_that_hangs(stack: &TestStack, bus: &Proxy) {
    bus.block(true);
    let mut client = stack.client_of("ann").await;
    client.subscribe("order-7").await;
    let unsubscribe = json!({"action": "unsubscribe", "entityId": "order-7"});
    assert_eq!(client.ask(unsubscribe).await["type"], "ack");
    client.subscribe("order-8").await;
    client.close().await;
    until("the last end is on the queue", async || {
        let waiting = stack.messages("NotificationQueue");
        let is_end =
            |body: &str| body.contains(r#""id":"unsubscribed:"#) && body.contains("order-8");
        waiting.iter().any(|message| is_end(&message.content.body))
    })
    .await;
    bus.block(false);
}
