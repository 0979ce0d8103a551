//! The records that a watcher receives.

use aws_sdk_apigatewaymanagement::{Client, primitives::Blob};
use axum::{Router, http::StatusCode};
use futures_util::SinkExt;
use herald_local::{Functions, lambda::Invocation};
use herald_testkit::sdk_config;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{self, Message},
};

use super::{harness::TestStack, watcher::Watcher};

#[tokio::test]
async fn late_watcher_receives_earlier_and_new_records() {
    let stack = TestStack::start().await;
    for body in ["1", "2"] {
        stack.send_message("Dead", body).await;
    }
    let mut watcher = stack.watch().await;
    let first = watcher.event().await;
    assert_eq!(first.data["number"], 1);
    assert!(first.data["at"].as_f64().unwrap() > 0.0);
    let second = watcher.event().await;
    stack.send_message("Dead", "3").await;
    assert_eq!(watcher.record().await["number"], 3);

    let mut returning = stack.watch_after(second.id.as_deref()).await;
    assert_eq!(returning.record().await["number"], 3);
}

#[tokio::test]
async fn last_event_id_of_another_run_is_ignored() {
    let stack = TestStack::start().await;
    stack.send_message("Dead", "1").await;
    for id in ["1000-1", "1", "nonsense"] {
        let mut watcher = stack.watch_after(Some(id)).await;
        assert_eq!(watcher.record().await["number"], 1, "{id}");
    }
}

#[tokio::test]
async fn slow_watcher_receives_the_number_of_missed_records() {
    let stack = TestStack::start().await;
    stack.send_message("Dead", "1").await;
    let seen = stack.watch().await.event().await.id;
    let queues = stack.running.queues();
    let dead = queues.with_name("herald-local-Dead").unwrap();
    for _ in 0..1010 {
        let content = herald_local::sqs::Content::text("more");
        queues.send_to(dead, content, None).unwrap();
    }
    let mut returning = stack.watch_after(seen.as_deref()).await;
    let missed = returning.event().await;
    assert_eq!(missed.event.as_deref(), Some("missed"));
    assert_eq!(missed.data, json!({"count": 10}));
    assert_eq!(returning.record().await["number"], 12);

    // A new watcher has missed nothing.
    assert_eq!(stack.watch().await.record().await["number"], 12);
}

/// Returns the next record of a kind, without the members that every record has; a duration is only
/// checked.
async fn next(watcher: &mut Watcher, kind: &str) -> Value {
    let mut record = watcher.record_of(kind).await;
    let members = record.as_object_mut().unwrap();
    for name in ["number", "at", "kind"] {
        members.remove(name).unwrap();
    }
    if let Some(milliseconds) = members.remove("milliseconds") {
        assert!(milliseconds.as_f64().unwrap() > 0.0, "{milliseconds}");
    }
    record
}

#[tokio::test]
async fn connection_is_recorded_from_upgrade_to_end() {
    let stack = TestStack::start().await;
    let mut watcher = stack.watch().await;
    let mut socket = stack.connect().await;
    let connected = next(&mut watcher, "connected").await;
    let id = connected["connectionId"].as_str().unwrap();
    assert_eq!(
        connected,
        json!({"connectionId": id, "userId": null, "sourceIp": "127.0.0.1"})
    );

    let long = format!(r#"{{"action":"x","message":"{}"}}"#, "é".repeat(4000));
    let cut = format!(r#"{{"action":"x","message":"{}"#, "é".repeat(2035));
    for (message, body, is_cut) in [
        ("not JSON", "not JSON", None),
        (
            r#"{"action":"authenticate","token":"ey.abc"}"#,
            r#"{"action":"authenticate","token":"…"}"#,
            None,
        ),
        (&long, &cut, Some(true)),
    ] {
        socket.send(Message::text(message)).await.unwrap();
        let mut expected = json!({
            "connectionId": id,
            "routeKey": "$default",
            "body": body,
            "function": "Function",
            "reply": null,
            "eventIds": [],
        });
        if let Some(is_cut) = is_cut {
            expected["cut"] = json!(is_cut);
        }
        assert_eq!(next(&mut watcher, "request").await, expected);
    }

    socket.close(None).await.unwrap();
    let reason = "Client-side close frame status not set";
    assert_eq!(
        next(&mut watcher, "disconnected").await,
        json!({"connectionId": id, "code": 1005, "reason": reason})
    );
}

#[tokio::test]
async fn refused_upgrade_is_recorded_and_other_refused_requests_are_not() {
    let stack = TestStack::start().await;
    let mut watcher = stack.watch().await;
    let elsewhere = format!("{}ping", stack.running.addresses().web_socket);
    assert_eq!(
        stack.get("/favicon.ico").await.status,
        StatusCode::FORBIDDEN
    );
    let refused = connect_async(elsewhere).await;
    assert!(matches!(refused, Err(tungstenite::Error::Http(_))));
    assert_eq!(
        next(&mut watcher, "refused").await,
        json!({"status": 403, "sourceIp": "127.0.0.1"})
    );
    assert_eq!(stack.watch().await.record().await["kind"], "refused");
}

#[tokio::test]
async fn post_is_recorded_with_its_status() {
    let stack = TestStack::start().await;
    let mut watcher = stack.watch().await;
    let _socket = stack.connect().await;
    let connected = next(&mut watcher, "connected").await;
    let open = connected["connectionId"].as_str().unwrap();
    let frame = r#"{"type":"Broadcast","eventId":"e-1"}"#;
    let large = "x".repeat(128 * 1024 + 1);
    for (id, frame, status, event_ids) in [
        (open, frame, 200, json!(["e-1"])),
        ("PcQeDRO4gIEm4LQ=", frame, 410, json!(["e-1"])),
        (open, "not JSON", 200, json!([])),
        (open, &large, 413, json!([])),
        ("strange", "", 400, json!([])),
    ] {
        let post = management(&stack).post_to_connection().connection_id(id);
        let _ = post.data(Blob::new(frame)).send().await;
        assert_eq!(
            next(&mut watcher, "post").await,
            json!({
                "connectionId": id,
                "userId": null,
                "eventIds": event_ids,
                "bytes": frame.len(),
                "status": status,
            })
        );
    }

    let frame = r#"{"type":"Broadcast","eventId":"e-1","epoch":"k3J9x2Qa","offset":7}"#;
    let post = management(&stack).post_to_connection().connection_id(open);
    post.data(Blob::new(frame)).send().await.unwrap();
    let position = json!({"log": "everyone", "epoch": "k3J9x2Qa", "offset": 7});
    assert_eq!(next(&mut watcher, "post").await["position"], position);

    let frame = r#"{"type":"presence","entityId":"room-1","version":3,"count":2}"#;
    let post = management(&stack).post_to_connection().connection_id(open);
    post.data(Blob::new(frame)).send().await.unwrap();
    let presence = json!({"entityId": "room-1", "version": 3, "count": 2});
    assert_eq!(next(&mut watcher, "post").await["presence"], presence);
}

/// Returns the real SDK's client for the management API, without retries.
fn management(stack: &TestStack) -> Client {
    use aws_sdk_apigatewaymanagement::config::{Builder, retry::RetryConfig};
    let config = Builder::from(&sdk_config(&format!("{}/dev", stack.endpoint())));
    Client::from_conf(config.retry_config(RetryConfig::disabled()).build())
}

#[tokio::test]
async fn event_is_recorded_with_its_matching_rules() {
    let stack = TestStack::start().await;
    let mut watcher = stack.watch().await;
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(16 * 1024));
    for (source, detail, rules) in [
        (
            "shop",
            r#"{"n":1.50,"idempotencyKey":"k-1"}"#,
            json!(["herald-local-Rule"]),
        ),
        ("other", r#"{"n":12345678901234567890123}"#, json!([])),
        ("other", large.as_str(), json!([])),
    ] {
        let entry = json!({"Source": source, "DetailType": "Sold", "Detail": detail});
        let put = stack
            .call("AWSEvents.PutEvents", json!({"Entries": [entry]}))
            .await;
        let id = &put["Entries"][0]["EventId"];
        let is_kept = detail.len() < large.len();
        let mut expected = json!({
            "eventId": if source == "shop" { json!("k-1") } else { id.clone() },
            "id": id,
            "detailType": "Sold",
            "source": source,
            "detail": is_kept.then(|| serde_json::from_str::<Value>(detail).unwrap()),
            "bus": "default",
            "rules": rules,
        });
        if !is_kept {
            expected["cut"] = json!(true);
        }
        assert_eq!(next(&mut watcher, "event").await, expected);
        if source == "shop" {
            assert_eq!(
                next(&mut watcher, "queued").await["eventIds"],
                json!(["k-1"])
            );
        }
    }
}

#[tokio::test]
async fn invocation_is_recorded_with_its_outcome() {
    let stack = TestStack::start().await;
    let mut watcher = stack.watch().await;
    for (action, outcome, error) in [
        ("echo", "ok", None),
        ("error", "error", Some("no such order")),
        ("panic", "error", Some("a bug")),
        ("exit", "crashed", Some("exit status 4")),
        ("hang", "timeout", Some("Task timed out after 1.00 seconds")),
    ] {
        stack.invoke(json!({"do": action})).await;
        let record = next(&mut watcher, "invocation").await;
        assert_eq!(record["outcome"], outcome, "{record}");
        assert_eq!(record["function"], "Function");
        assert!(record["requestId"].is_string(), "{record}");
        assert_eq!(record["queue"], json!(null));
        assert_eq!(record["records"], json!(null));
        match error {
            None => assert_eq!(record["error"], json!(null)),
            Some(error) => assert!(
                record["error"].as_str().unwrap().contains(error),
                "{record}"
            ),
        }
        if action == "exit" {
            assert_eq!(record["logs"], json!(["giving up"]));
        }
    }
}

#[tokio::test]
async fn refused_invocation_is_recorded() {
    let stack = TestStack::start().await;
    let mut watcher = stack.watch().await;
    let event = json!({"padding": "x".repeat(7 * 1024 * 1024)});
    let Invocation::Refused(reason) = stack.invoke(event).await else {
        panic!("the event is too large");
    };
    assert_eq!(
        next(&mut watcher, "invocation").await,
        json!({
            "requestId": null,
            "function": "Function",
            "outcome": "refused",
            "error": reason,
            "eventIds": [],
            "queue": null,
            "records": null,
            "logs": [],
        })
    );
}

#[tokio::test]
async fn printed_lines_are_recorded_with_their_invocation() {
    let stack = TestStack::start().await;
    let mut watcher = stack.watch().await;
    for number in 0..50 {
        let lines = [format!("{number} a"), format!("{number} b")];
        stack.invoke(json!({"do": "print", "lines": lines})).await;
        let record = next(&mut watcher, "invocation").await;
        assert_eq!(record["logs"], json!(lines));
    }
    let many: Vec<_> = (0..60).map(|number| number.to_string()).collect();
    stack.invoke(json!({"do": "print", "lines": many})).await;
    let record = next(&mut watcher, "invocation").await;
    assert_eq!(record["logs"], json!(many[10..]));
}

#[tokio::test]
async fn invocation_of_remote_function_is_recorded_without_logs() {
    let function = async || ([("x-amzn-requestid", "r-1")], r#"{"statusCode":200}"#);
    let stack = with_functions_at(serve(Router::new().fallback(function)).await).await;
    let mut watcher = stack.watch().await;
    let _socket = stack.connect().await;
    assert_eq!(
        next(&mut watcher, "invocation").await,
        json!({
            "requestId": "r-1",
            "function": "Function",
            "outcome": "ok",
            "error": null,
            "eventIds": [],
            "queue": null,
            "records": null,
            "logs": [],
        })
    );
}

#[tokio::test]
async fn unreachable_invoke_api_is_recorded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let stack = with_functions_at(url).await;
    let mut watcher = stack.watch().await;
    let refused = connect_async(&stack.running.addresses().web_socket).await;
    assert!(matches!(refused, Err(tungstenite::Error::Http(_))));
    let record = next(&mut watcher, "invocation").await;
    assert_eq!(record["outcome"], "refused");
    let error = record["error"].as_str().unwrap();
    assert!(
        error.starts_with("no Invoke API answers at http://"),
        "{error}"
    );
}

async fn with_functions_at(url: String) -> TestStack {
    TestStack::start_with(|config| config.functions = Functions::Remote(url)).await
}

/// Serves these routes and returns their address.
async fn serve(routes: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

/// See docs/local-vs-aws.md: "Unknown stages and longer paths".
#[tokio::test]
async fn upgrade_at_any_other_path_is_forbidden_and_recorded() {
    let stack = TestStack::start().await;
    let mut watcher = stack.watch().await;
    for path in [
        "/",
        "/other",
        "//dev",
        "/dev/more",
        "/dev/@connections/PcQeDRO4gIEm4LQ=",
        "/console",
        "/console/activity",
        "/auth/token",
    ] {
        let url = format!("{}{path}", stack.endpoint().replace("http:", "ws:"));
        let Err(tungstenite::Error::Http(response)) = connect_async(&url).await else {
            panic!("{path} is refused");
        };
        assert_eq!(response.status(), 403, "{path}");
        let record = next(&mut watcher, "refused").await;
        assert_eq!(record["status"], 403, "{path}");
    }
}
