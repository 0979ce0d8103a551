//! The files in `events/`: what the README has people try.

use std::fs;

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use herald_local::lambda::{Invocation, Invoke};
use serde_json::Value;

use crate::harness::{TestStack, repository};

pub fn sample(name: &str) -> String {
    fs::read_to_string(repository().join("events").join(name)).unwrap()
}

fn entries(name: &str) -> Vec<PutEventsRequestEntry> {
    let entries: Vec<Value> = serde_json::from_str(&sample(name)).unwrap();
    entries
        .iter()
        .map(|entry| {
            PutEventsRequestEntry::builder()
                .source(entry["Source"].as_str().unwrap())
                .detail_type(entry["DetailType"].as_str().unwrap())
                .detail(entry["Detail"].as_str().unwrap())
                .build()
        })
        .collect()
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "hands functions events of its own making"
)]
async fn every_function_accepts_its_sample_event() {
    let stack = TestStack::start().await;
    let host = stack.running().functions().unwrap();
    for (file, function) in [
        ("authorizer.json", "AuthorizerFunction"),
        ("connect.json", "ConnectFunction"),
        ("authenticate.json", "AuthenticateFunction"),
        ("subscribe.json", "SubscribeFunction"),
        ("sendMessage.json", "SendMessageFunction"),
        ("default.json", "DefaultFunction"),
        ("unsubscribe.json", "UnsubscribeFunction"),
        ("notifier.json", "NotifierFunction"),
        ("disconnect.json", "DisconnectFunction"),
    ] {
        let Invocation::Returned(result) = host.invoke(function, sample(file).into()).await else {
            panic!("{file}")
        };
        let result: Value = serde_json::from_slice(&result).unwrap();
        match function {
            "AuthorizerFunction" => {
                let statement = &result["policyDocument"]["Statement"][0];
                assert_eq!(statement["Effect"], "Allow", "{result}");
            }
            "NotifierFunction" => {
                let failures = result["batchItemFailures"].as_array().unwrap();
                assert!(failures.is_empty(), "{result}");
            }
            "DisconnectFunction" => assert!(result.is_null()),
            // Without authentication there is no token to renew.
            "AuthenticateFunction" => assert_eq!(result["statusCode"], 400, "{result}"),
            "DefaultFunction" => assert!(result["body"].is_string(), "{result}"),
            _ => assert_eq!(result["statusCode"], 200, "{file}: {result}"),
        }
    }
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs tokens, which the local stack signs"
)]
async fn the_sample_entries_reach_those_they_name() {
    let stack = TestStack::start_with_users().await;
    let notification: Value =
        serde_json::from_str(entries("user-notification.json")[0].detail().unwrap()).unwrap();
    let mut client = stack
        .client_of(notification["userId"].as_str().unwrap())
        .await;
    client.subscribe("order-1").await;
    for (file, push) in [
        ("entity-updated.json", "Entity Updated"),
        ("user-notification.json", "User Push Notification"),
        ("broadcast.json", "Broadcast"),
    ] {
        let entries = entries(file);
        let detail: Value = serde_json::from_str(entries[0].detail().unwrap()).unwrap();
        stack.put_entries(entries).await;
        let frame = client.frame().await;
        assert_eq!(frame["type"], push);
        assert_eq!(frame["message"], detail["message"]);
    }
    stack.stop().await;
}
