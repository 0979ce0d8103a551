//! A stack without presence.

use herald_local::{
    Authentication,
    template::{Settings, Stack},
};
use herald_testkit::local_only;
use serde_json::json;

use super::frames::watch;
use crate::harness::{TestStack, repository};

#[local_only("reads the whole table and the queue")]
#[tokio::test]
async fn stack_without_presence_stores_and_sends_nothing_for_it() {
    let stack = TestStack::start_with_parameters(&[("History", "{}")]).await;
    let mut client = stack.client().await;
    let ack = client.ask(watch("room:1")).await;
    let plain = json!({"type": "ack", "action": "subscribe", "entityId": "room:1"});
    assert_eq!(ack, plain);
    let entities = json!({"room:1": {"presence": true}, "room:2": {}});
    let subscribe = json!({"action": "subscribe", "entities": entities});
    let ack = client.ask(subscribe).await;
    let plain =
        json!({"type": "ack", "action": "subscribe", "entities": {"room:1": {}, "room:2": {}}});
    assert_eq!(ack, plain);
    assert_eq!(client.ask(json!({"action": "ping"})).await["type"], "pong");
    let scan = aws_sdk_dynamodb::Client::new(stack.aws())
        .scan()
        .table_name(&stack.addresses().table);
    let items = scan.send().await.unwrap().items.unwrap();
    let of_presence = |key: &str| key.starts_with("P#");
    assert!(!items.is_empty());
    for item in items {
        assert!(!of_presence(item["pk"].as_s().unwrap()), "{item:?}");
        assert!(!item.contains_key("watches"), "{item:?}");
    }
    assert!(stack.messages("NotificationQueue").is_empty());
    stack.stop().await;
}

#[local_only("reads the template")]
#[test]
fn stack_without_presence_grants_no_right_for_it() {
    let granted = |presence: &str| {
        let endpoint = "http://127.0.0.1:3030";
        let presence = ("Presence".to_owned(), presence.to_owned());
        let settings = Settings {
            parameters: [presence].into(),
            defaults: Authentication::Open.parameters(endpoint),
            ..Settings::new(endpoint)
        };
        let stack = Stack::read(&repository().join("template.yaml"), &settings).unwrap();
        let roles = stack.roles.iter();
        let actions = roles.flat_map(|role| {
            let statements = role.policies.iter();
            statements.flat_map(|statement| {
                let actions = statement.actions.iter();
                actions.map(|action| (role.function.clone(), action.clone()))
            })
        });
        actions.collect::<Vec<_>>()
    };
    let of = |function: &str, presence: &str| {
        let actions = granted(presence).into_iter();
        let own = actions.filter(|(of, _)| of == function);
        let mut own: Vec<_> = own.map(|(_, action)| action).collect();
        own.sort();
        own
    };
    for (function, without, with) in [
        ("DefaultFunction", 0, 3),
        ("DisconnectFunction", 2, 5),
        ("UnsubscribeFunction", 3, 4),
        ("SubscribeFunction", 6, 8),
        ("HistoryFunction", 5, 6),
        ("ConnectFunction", 5, 8),
        ("NotifierFunction", 12, 13),
    ] {
        let (off, on) = (of(function, "{}"), of(function, r#"{"**":{}}"#));
        assert_eq!(
            (off.len(), on.len()),
            (without, with),
            "{function}: {off:?}, {on:?}"
        );
    }
}
