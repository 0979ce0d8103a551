//! `herald dlq`.

use std::collections::BTreeMap;

use herald_client::{Client, EntityId, Options};
use herald_local::{Authentication, gateway};
use serde_json::{Value, json};

use crate::harness::{TestStack, in_time, json_lines};

const FAILING: f64 = 1.0;

fn fail(stack: &TestStack, failing: f64) {
    stack.running.gateway().set_faults(gateway::Faults {
        failing,
        ..gateway::Faults::default()
    });
}

async fn list(stack: &TestStack, arguments: &[&str]) -> Vec<Value> {
    let arguments = [&["dlq", "list", "--json"], arguments].concat();
    json_lines(&stack.done(&arguments).await)
}

/// Lists until the queues contain this many dead letters.
async fn listed(stack: &TestStack, count: usize) -> Vec<Value> {
    in_time("the dead letters are listed", async {
        loop {
            let letters = list(stack, &[]).await;
            if letters.len() == count {
                return letters;
            }
        }
    })
    .await
}

fn text<'a>(letter: &'a Value, name: &str) -> &'a str {
    letter[name].as_str().expect(name)
}

#[tokio::test]
async fn dead_letters_can_be_listed_shown_and_replayed_without_loss() {
    // A push becomes a dead letter after its first attempt, and no client recovers it from a log.
    let once = [("DeliveryAttempts", "1"), ("History", "{}")];
    let stack = TestStack::start_with(Authentication::Open, &once).await;
    let client = Client::connect(&stack.running.addresses().web_socket, Options::new());
    let client = in_time("connected", client).await.expect("a connection");
    let order = EntityId::new("order-1").expect("an id");
    let mut order = client.subscribe(order).await.expect("a subscription");
    assert!(list(&stack, &[]).await.is_empty());

    fail(&stack, FAILING);
    for message in ["1", "2", "3"] {
        stack
            .done(&["publish", "--entity", "order-1", message])
            .await;
    }
    let letters = listed(&stack, 3).await;
    for letter in &letters {
        assert_eq!(letter["queue"], "notifications");
        assert!(
            text(letter, "audience").starts_with("connection "),
            "{letter}"
        );
        assert!(
            text(letter, "reason").starts_with("not reached in 1 attempts"),
            "{letter}"
        );
    }

    // A second list returns the same messages, received once more.
    let again = list(&stack, &[]).await;
    let facts = |letters: &[Value], more: u64| {
        let mut facts: Vec<_> = letters
            .iter()
            .map(|letter| {
                let received = letter["receiveCount"].as_u64().expect("a number");
                (text(letter, "id").to_owned(), received + more)
            })
            .collect();
        facts.sort();
        facts
    };
    assert_eq!(facts(&again, 0), facts(&letters, 1));
    assert_eq!(list(&stack, &["--limit", "1"]).await.len(), 1);
    assert!(list(&stack, &["--from", "events"]).await.is_empty());

    let id = text(&letters[0], "id");
    let shown = stack.done(&["dlq", "show", id, "--json"]).await;
    let shown = &json_lines(&shown)[0];
    let frame = &shown["body"]["push"]["frame"];
    assert_eq!(
        (&shown["id"], &frame["entityId"]),
        (&json!(id), &json!("order-1"))
    );

    fail(&stack, 0.0);
    let replay = ["dlq", "replay", id, "--json"];
    let replayed = json_lines(&stack.done(&replay).await);
    assert_eq!(replayed, [json!({"queue": "notifications", "replayed": 1})]);
    let push = in_time("the replay came", order.recv())
        .await
        .expect("a push");
    assert_eq!(push.event_id(), letters[0]["eventId"].as_str());
    assert_eq!(listed(&stack, 2).await.len(), 2);

    let another = text(&letters[1], "id");
    for (ids, code) in [(&[id, another][..], 5), (&[id], 1)] {
        let arguments = [&["dlq", "replay"], ids].concat();
        let ended = stack.herald(&arguments).run("").await;
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(ended.stderr.contains(id), "{}", ended.stderr);
    }
    let replayed = stack.done(&["dlq", "replay", "--all"]).await;
    assert_eq!(
        replayed,
        "notifications: 1 message replayed\nevents: 0 messages replayed\n"
    );
    for _ in 0..2 {
        in_time("the replay came", order.recv())
            .await
            .expect("a push");
    }
    assert!(list(&stack, &[]).await.is_empty());
    stack.stop().await;
}

#[tokio::test]
async fn message_without_a_push_can_be_shown_and_returns_after_replay() {
    let stack = TestStack::start(Authentication::Open).await;
    let queues = stack.running.queues();
    let queue = queues
        .with_name("herald-local-EventsDeadLetterQueue")
        .expect("a queue");
    let arn = &queues.definition(queue).arn;
    for number in 0..12 {
        let sent = queues.send(arn, format!("no push {number}"), BTreeMap::new(), None);
        sent.expect("sent");
    }
    let letters = list(&stack, &["--from", "events"]).await;
    assert_eq!(letters.len(), 12);
    assert_eq!(letters[0].get("audience"), None);
    let text_of = stack.done(&["dlq", "show", text(&letters[0], "id")]).await;
    assert!(text_of.contains("body          no push"), "{text_of}");

    let replayed = stack
        .done(&["dlq", "replay", "--all", "--from", "events"])
        .await;
    assert_eq!(replayed, "events: 12 messages replayed\n");
    // The notifier refuses them and gives the reason.
    let letters = listed(&stack, 12).await;
    for letter in letters {
        assert_eq!(letter["queue"], "notifications");
        assert!(
            text(&letter, "reason").starts_with("the record is not a push"),
            "{letter}"
        );
    }
    stack.stop().await;
}
