//! No function has a right that it does not need: whichever is taken from it, one of its calls is
//! refused in a scenario that succeeds otherwise.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt, stream};
use herald_local::{
    Authentication, gateway,
    iam::{Denied, Effect, Revoked},
    sqs::{self, Content, MessageState},
    template::{Settings, Stack},
};
use serde_json::json;

use crate::{
    ending::end_token,
    harness::{EVERYTHING, LEFT_BEHIND, TestStack, old, repository, until},
};

/// The only mode in which the authorizer makes a call.
const AUTHENTICATION: Authentication = Authentication::Secret;

/// How many stacks run at once.
const AT_ONCE: usize = 4;

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "takes rights away from functions")]
async fn every_granted_action_is_needed() {
    let granted = granted();
    assert!(granted.len() > 15, "only {granted:?}");
    let unused: Vec<_> = stream::iter(granted)
        .map(|right| async { (!is_needed(&right).await).then_some(right) })
        .buffer_unordered(AT_ONCE)
        .filter_map(|unused| async { unused })
        .collect()
        .await;
    assert!(unused.is_empty(), "never used: {unused:#?}");
}

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "takes rights away from functions")]
async fn what_is_granted_is_enough() {
    let stack = start_without(vec![]).await.unwrap();
    scenario(&stack).await;
    stack.stop().await;
}

/// Each action that the template grants a function, on each of its resources.
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

/// Whether the scenario fails for want of a right. So it does if the stack does not even start.
async fn is_needed(right: &Revoked) -> bool {
    let stack = match start_without(vec![right.clone()]).await {
        Ok(stack) => stack,
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains("does not allow"), "{right:?}: {error}");
            return true;
        }
    };
    let mut refused = stack.running().refused();
    let denied = tokio::select! {
        // First, so that a scenario that fails of the refusal does not panic before it is seen.
        biased;
        denied = refused.wait_for(Option::is_some) => denied.unwrap().clone(),
        () = scenario(&stack) => None,
    };
    stack.stop_after_refusals().await;
    denied.is_some_and(|denied| {
        assert!(
            is_about(&denied, right),
            "{denied} but {right:?} was revoked"
        );
        true
    })
}

/// Whether a refusal is for want of a right, and of no other.
fn is_about(denied: &Denied, right: &Revoked) -> bool {
    denied.function == right.function && denied.action.eq_ignore_ascii_case(&right.action)
}

async fn start_without(revoked: Vec<Revoked>) -> anyhow::Result<TestStack> {
    TestStack::try_start_with(|config| {
        config.authentication = AUTHENTICATION;
        config.parameters = parameters();
        config.faults.revoked = revoked;
    })
    .await
}

fn parameters() -> BTreeMap<String, String> {
    // So few that the second one is taken back.
    let subscriptions = ("SubscriptionsPerConnection", "1");
    // As many as are left behind.
    let connections = ("ConnectionsPerUser", "10");
    [subscriptions, connections]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// What makes every function do all that it can.
async fn scenario(stack: &TestStack) {
    messages(stack).await;
    a_subscribe_that_is_overtaken(stack).await;
    a_renewal(stack).await;
    a_push_that_fails_at_first(stack).await;
    a_dead_letter(stack).await;
    a_user_who_is_thrown_out(stack).await;
    a_user_at_the_limit(stack).await;
    a_record_that_fails_at_first(stack).await;
    a_token_that_ended(stack).await;
    a_connection_that_is_gone(stack).await;
    a_disconnect(stack).await;
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

/// An unsubscribe comes between the writes of a subscribe, which then takes its row back.
async fn a_subscribe_that_is_overtaken(stack: &TestStack) {
    let mut client = stack.client_of("ann").await;
    let mut held = stack.running().dynamodb().hold("PutItem");
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
    assert!(!rows.iter().any(|row| row.contains("order-6")), "{rows:?}");
}

async fn a_renewal(stack: &TestStack) {
    let mut client = stack.client_of("ann").await;
    client.subscribe("order-2").await;
    let authenticate = json!({"action": "authenticate", "token": stack.token("ann", EVERYTHING)});
    assert_eq!(client.ask(authenticate).await["type"], "ack");
}

/// What is not taken goes back to the queue.
async fn a_push_that_fails_at_first(stack: &TestStack) {
    let mut client = stack.client_of("ann").await;
    client.subscribe("order-3").await;
    stack.running().gateway().set_faults(gateway::Faults {
        failing: 1.0,
        ..Default::default()
    });
    let detail = json!({"entityId": "order-3", "message": "at last"});
    stack.put_event("Entity Updated", detail).await;
    until("the push is tried again", async || {
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

async fn a_dead_letter(stack: &TestStack) {
    let queues = stack.notifications();
    queues.notify(&["no push".to_owned()]).await;
    until("it is a dead letter", async || {
        !stack.messages("NotificationDeadLetterQueue").is_empty()
    })
    .await;
}

async fn a_user_who_is_thrown_out(stack: &TestStack) {
    let mut client = stack.client_of("eve").await;
    let detail = json!({"userId": "eve"});
    stack.put_event("Disconnect User", detail).await;
    assert_eq!(client.frame().await["type"], "disconnect");
    client.closed().await;
}

/// The connections of a user at the limit turn out to be closed.
async fn a_user_at_the_limit(stack: &TestStack) {
    stack.leave_connections_of("max", 10).await;
    stack.client_of("max").await;
    let rows = stack.rows().await;
    assert!(
        !rows.iter().any(|row| row.contains(LEFT_BEHIND)),
        "{rows:?}"
    );
}

/// A record that neither queue takes comes again in seconds.
async fn a_record_that_fails_at_first(stack: &TestStack) {
    let queues = stack.running().queues();
    let dead_letters = stack.messages("NotificationDeadLetterQueue").len();
    queues.set_faults(sqs::Faults {
        failing_sends: 1.0,
        ..Default::default()
    });
    let poison = Content::text("no push either");
    queues
        .send_to(stack.queue("NotificationQueue"), poison, None)
        .unwrap();
    until("it is to come again soon", async || {
        let soon = queues.clock().now() + Duration::from_secs(60);
        let waiting = stack.messages("NotificationQueue");
        waiting
            .iter()
            .any(|message| matches!(message.state, MessageState::InFlight(until) if until < soon))
    })
    .await;
    queues.set_faults(Default::default());
    queues.clock().advance(Duration::from_secs(60));
    until("it is a dead letter", async || {
        stack.messages("NotificationDeadLetterQueue").len() > dead_letters
    })
    .await;
}

/// The notifier looks up the token before it closes the connection.
async fn a_token_that_ended(stack: &TestStack) {
    let mut client = stack.client_of("joe").await;
    client.subscribe("order-6").await;
    end_token(stack, "joe").await;
    let detail = json!({"entityId": "order-6", "message": "too late"});
    stack.put_event("Entity Updated", detail).await;
    assert_eq!(client.frame().await["code"], "token_expired");
    client.closed().await;
}

/// Everything of a connection that does not exist any more goes with the next push.
async fn a_connection_that_is_gone(stack: &TestStack) {
    stack
        .leave_behind("PcQeDRO4gIEm4LQ=", "order-4", old())
        .await;
    let detail = json!({"entityId": "order-4", "message": "nobody is there"});
    stack.put_event("Entity Updated", detail).await;
    until("all rows are gone", async || stack.rows().await.is_empty()).await;
}

async fn a_disconnect(stack: &TestStack) {
    let mut client = stack.client_of("ann").await;
    client.subscribe("order-5").await;
    client.close().await;
    until("all rows are gone", async || stack.rows().await.is_empty()).await;
}
