//! The rule of a backend gets the events, and Herald's own rule none of them.

use std::{collections::BTreeMap, fs, path::PathBuf};

use herald_local::{
    Authentication,
    eventbridge::pattern::Pattern,
    template::{Settings, Stack},
};
use herald_testkit::local_only;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::ALL;
use crate::{
    harness::{TestStack, repository, until},
    watcher::Watcher,
};

/// Every detail-type of an event for the backend.
const DETAIL_TYPES: [&str; 5] = [
    "Connection Opened",
    "Connection Closed",
    "Entity Subscribed",
    "Entity Unsubscribed",
    "Presence Changed",
];

#[test]
fn own_rule_matches_no_event_for_the_backend_whatever_the_sources() {
    for sources in ["", "herald", "shop,herald"] {
        let endpoint = "http://127.0.0.1:3030";
        let parameters = [("EventSource", sources), ("BackendEvents", ALL)];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Settings {
            parameters: BTreeMap::from(parameters),
            defaults: Authentication::Open.parameters(endpoint),
            ..Settings::new(endpoint)
        };
        let stack = Stack::read(&repository().join("template.yaml"), &settings).unwrap();
        let [rule] = &stack.rules[..] else {
            panic!("{:?}", stack.rules)
        };
        let pattern = Pattern::parse(&rule.pattern).unwrap();
        let event =
            |detail_type| json!({"source": "herald", "detail-type": detail_type, "detail": {}});
        assert!(pattern.matches(&event("Entity Updated")), "{sources}");
        for detail_type in DETAIL_TYPES {
            assert!(
                !pattern.matches(&event(detail_type)),
                "{sources}: {detail_type}"
            );
        }
    }
}

/// Both rules are on one bus, and Herald's own takes every event of the source `herald`.
#[local_only("needs a template with a rule of its own")]
#[tokio::test]
async fn backend_gets_the_events_and_no_client_does() {
    let folder = TempDir::new().unwrap();
    let template = template_with_documented_rule(&folder);
    let stack = TestStack::try_start_with(|config| {
        config.template = template;
        let parameters = [("EventSource", "herald"), ("BackendEvents", ALL)];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        config.parameters.extend(parameters);
    });
    let stack = stack.await.unwrap();
    let mut activity = Watcher::start(&stack.running().addresses().endpoint, None).await;
    let mut watching = stack.client().await;
    watching.subscribe("room:1").await;
    let mut visiting = stack.client().await;
    visiting.subscribe("room:1").await;
    visiting.close().await;
    until("the backend has the events of both", async || {
        received(&stack).len() == 3
    })
    .await;
    for event in received(&stack) {
        assert_eq!(event["source"], "herald");
        assert_eq!(event["detail"]["entityId"], "room:1");
    }
    let mut put = Vec::new();
    for _ in 0..6 {
        let event = activity.record_of("event").await;
        let rules = event["rules"].as_array().unwrap();
        let is_own = |rule: &Value| rule.as_str().unwrap().ends_with("NotificationRule");
        assert!(!rules.iter().any(is_own), "{event}");
        put.push(event["detailType"].as_str().unwrap().to_owned());
    }
    put.sort();
    put.dedup();
    let mut of_connections = DETAIL_TYPES[..4].to_vec();
    of_connections.sort();
    assert_eq!(put, of_connections);
    let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder()
        .source("herald")
        .detail_type("Entity Updated")
        .detail(json!({"entityId": "room:1", "message": "last"}).to_string())
        .build();
    stack.put_entries(vec![entry]).await;
    // Whatever else had become a push would be on its way or a dead letter.
    assert_eq!(watching.frame().await["message"], "last");
    stack.notifications().until_idle().await;
    assert!(stack.messages("NotificationDeadLetterQueue").is_empty());
    stack.stop().await;
}

/// Returns the events on the queue of the documented rule.
fn received(stack: &TestStack) -> Vec<Value> {
    let messages = stack.messages("RoomQueue").into_iter();
    messages
        .map(|message| serde_json::from_str(&message.content.body).unwrap())
        .collect()
}

/// Writes Herald's template with the resources of the template in the document.
fn template_with_documented_rule(folder: &TempDir) -> PathBuf {
    let document = fs::read_to_string(repository().join("docs/backend-events.md")).unwrap();
    let (_, resources) = document.split_once("\nResources:\n").expect("a template");
    let (resources, _) = resources.split_once("```").expect("an end");
    let template = fs::read_to_string(repository().join("template.yaml")).unwrap();
    let outputs = "\nOutputs:\n";
    assert_eq!(template.matches(outputs).count(), 1);
    let template = template.replace(outputs, &format!("\n{resources}{outputs}"));
    let file = folder.path().join("template.yaml");
    fs::write(&file, template).unwrap();
    file
}
