//! A notifier that is slower than the age at which readers fill the offset that it took.

use std::{
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use herald_local::lambda::{Invocation, Invoke};
use serde_json::{Value, json};

use crate::harness::{EVERYTHING, TestStack};

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "holds a request to the local table")]
async fn event_whose_offset_was_filled_takes_a_new_one_and_is_delivered_once() {
    let stack = TestStack::start().await;
    let _reader = stack.client().await;
    let reader = stack.running().gateway().open_connections()[0]
        .connection_id
        .clone();
    let mut client = stack.client().await;
    client.subscribe("order-1").await;

    let mut row = stack.running().dynamodb().hold("PutItem", "order-1");
    put(&stack, "slow").await;
    row.arrived().await;
    // It has its offset and is about to store its row. Stopped, it does not try again either.
    let notifiers = stack
        .running()
        .functions()
        .unwrap()
        .process_ids("NotifierFunction");
    signal("STOP", &notifiers);
    let begin = json!({"offset": 0});
    let open = sync(&stack, &reader, &begin, Duration::from_secs(1)).await;
    assert_eq!(
        (&open["offset"], &open["top"]),
        (&json!(0), &json!(1)),
        "{open}"
    );
    let filled = sync(&stack, &reader, &begin, Duration::from_secs(11)).await;
    assert_eq!(
        (&filled["offset"], &filled["top"]),
        (&json!(1), &json!(1)),
        "{filled}"
    );
    assert_eq!(filled.get("messages"), None, "{filled}");
    drop(row);
    signal("CONT", &notifiers);

    let slow = client.frame().await;
    assert_eq!(
        (&slow["message"], &slow["offset"]),
        (&json!("slow"), &json!(2))
    );
    put(&stack, "next").await;
    let next = client.frame().await;
    assert_eq!(
        (&next["message"], &next["offset"]),
        (&json!("next"), &json!(3))
    );
    // A reader that was away has the same.
    let recover = json!({"action": "subscribe", "entityId": "order-1", "recover": begin});
    let ack = client.ask(recover).await;
    assert_eq!(ack["messages"], json!([slow, next]), "{ack}");
    stack.stop().await;
}

async fn put(stack: &TestStack, message: &str) {
    let detail = json!({"entityId": "order-1", "message": message});
    stack.put_event("Entity Updated", detail).await;
}

/// Returns the answer to a `sync` that arrives so much later. The functions know the time from the gateway's
/// event.
async fn sync(stack: &TestStack, connection: &str, position: &Value, later: Duration) -> Value {
    let milliseconds = |time: SystemTime| {
        let since = time.duration_since(UNIX_EPOCH).unwrap();
        u64::try_from(since.as_millis()).unwrap()
    };
    let now = SystemTime::now();
    let body = json!({"action": "sync", "entities": {"order-1": position}});
    let event = json!({
        "requestContext": {
            "routeKey": "sync", "eventType": "MESSAGE", "messageDirection": "IN", "stage": "dev",
            "authorizer": {"permissions": EVERYTHING},
            "connectionId": connection, "connectedAt": milliseconds(now),
            "requestTimeEpoch": milliseconds(now + later), "requestId": "r", "messageId": "m",
        },
        "body": body.to_string(), "isBase64Encoded": false,
    });
    let functions = stack.running().functions().unwrap();
    let invocation = functions
        .invoke("HistoryFunction", event.to_string().into())
        .await;
    let Invocation::Returned(answer) = invocation else {
        panic!("{invocation:?}");
    };
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let ack: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    ack["entities"]["order-1"].clone()
}

/// Sends a signal to processes of the stack.
fn signal(name: &str, processes: &[u32]) {
    let processes = processes.iter().map(u32::to_string);
    let sent = Command::new("kill")
        .arg(format!("-{name}"))
        .args(processes)
        .status();
    assert!(sent.unwrap().success());
}
