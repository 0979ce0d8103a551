//! The sample events in `events/`, invoked and put.

use std::fs;

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use herald_local::lambda::{Invocation, Invoke};
use herald_testkit::local_only;
use serde_json::{Value, json};

use crate::{
    harness::{TestStack, repository},
    publishing::Publishing,
};

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

#[local_only("invokes functions directly")]
#[tokio::test]
async fn functions_answer_their_sample_events_in_the_documented_format() {
    // `history` refuses to read a log that the stack does not keep.
    let presence = ("Presence", r#"{"room-*":{}}"#);
    let stack = TestStack::start_with_parameters(&[presence]).await;
    let host = stack.running().functions().unwrap();
    for (file, function) in [
        ("authorizer.json", "AuthorizerFunction"),
        ("connect.json", "ConnectFunction"),
        ("authenticate.json", "AuthenticateFunction"),
        ("subscribe.json", "SubscribeFunction"),
        ("sendMessage.json", "SendMessageFunction"),
        ("default.json", "DefaultFunction"),
        ("history.json", "HistoryFunction"),
        ("sync.json", "HistoryFunction"),
        ("presence.json", "SubscribeFunction"),
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
                assert_is_policy(&result);
                let statement = &result["policyDocument"]["Statement"][0];
                assert_eq!(statement["Effect"], "Allow", "{result}");
            }
            "NotifierFunction" => assert_eq!(result, json!({"batchItemFailures": []})),
            // Without authentication there is no token to renew.
            "AuthenticateFunction" => assert_is_answer(&result, 400, Some("error")),
            "DefaultFunction" => assert_is_answer(&result, 200, Some("pong")),
            "ConnectFunction" | "DisconnectFunction" => assert_is_answer(&result, 200, None),
            _ => assert_is_answer(&result, 200, Some("ack")),
        }
    }
    stack.stop().await;
}

/// Asserts that a route's function answered in the gateway's format: an object with a numeric status
/// and, if it is for the client, a frame as text.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-output-format>
fn assert_is_answer(answer: &Value, status: u16, frame: Option<&str>) {
    let members = answer.as_object().unwrap();
    let known = ["statusCode", "headers", "body"];
    assert!(members.keys().all(|member| known.contains(&&**member)));
    assert_eq!(members["statusCode"], json!(status), "{answer}");
    let kind = members.get("body").map(|body| {
        let frame: Value = serde_json::from_str(body.as_str().unwrap()).unwrap();
        frame["type"].as_str().unwrap().to_owned()
    });
    assert_eq!(kind.as_deref(), frame, "{answer}");
}

/// Asserts that the authorizer answered with a policy and a context of text values.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html>
fn assert_is_policy(answer: &Value) {
    assert!(answer["principalId"].is_string(), "{answer}");
    let document = &answer["policyDocument"];
    assert_eq!(document["Version"], "2012-10-17");
    for statement in document["Statement"].as_array().unwrap() {
        assert_eq!(statement["Action"], "execute-api:Invoke");
        assert!(statement["Resource"].is_string(), "{answer}");
    }
    let mut context = answer["context"].as_object().unwrap().values();
    assert!(context.all(Value::is_string), "{answer}");
}

#[local_only("invokes functions directly")]
#[tokio::test]
async fn functions_behind_urls_answer_their_sample_events() {
    let publishing = Publishing::start_with(&[("Poll", "on"), ("Authentication", "open")]).await;
    let host = publishing.stack.running().functions().unwrap();
    for (file, function) in [
        ("publish.json", "PublishFunction"),
        ("poll.json", "PollFunction"),
    ] {
        let Invocation::Returned(result) = host.invoke(function, sample(file).into()).await else {
            panic!("{file}")
        };
        let result: Value = serde_json::from_slice(&result).unwrap();
        assert_eq!(result["statusCode"], 200, "{result}");
        assert_eq!(result["headers"]["content-type"], "application/json");
        let body: Value = serde_json::from_str(result["body"].as_str().unwrap()).unwrap();
        match function {
            "PublishFunction" => {
                assert_eq!(body["results"][0]["eventId"], "order-1-shipped");
                assert!(body["results"][1]["eventId"].is_string(), "{body}");
            }
            _ => {
                // The client is anonymous, and the entity has no log.
                assert_eq!(body["entities"], json!({"order-1": {}}));
                assert_eq!(body["user"]["error"]["code"], "forbidden");
                assert_eq!(body["pollAfter"], 4000);
            }
        }
    }
    publishing.stack.stop().await;
}

#[local_only("needs tokens, which the local stack signs")]
#[tokio::test]
async fn sample_entries_reach_their_recipients() {
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
