//! Listing and closing of open connections.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::harness::TestStack;
use crate::gateway::harness::closed;

#[tokio::test]
async fn connections_are_listed_oldest_first_and_can_be_closed() {
    let stack = TestStack::start().await;
    assert_eq!(
        stack.get("/console/connections").await.json(),
        json!({"connections": []})
    );
    let mut watcher = stack.watch().await;
    let mut ids = Vec::new();
    let mut sockets = Vec::new();
    for _ in 0..3 {
        sockets.push(stack.connect().await);
        ids.push(watcher.record_of("connected").await["connectionId"].clone());
    }
    let shown = stack.get("/console/connections").await.json();
    let shown = shown["connections"].as_array().unwrap();
    let shown_ids: Vec<_> = shown
        .iter()
        .map(|one| one["connectionId"].clone())
        .collect();
    assert_eq!(shown_ids, ids);
    assert_eq!(shown[0]["sourceIp"], "127.0.0.1");
    assert_eq!(shown[0]["userId"], json!(null));
    assert_eq!(shown[0]["userAgent"], json!(null));
    let times = ["connectedAt", "lastActiveAt"].map(|name| shown[0][name].as_f64().unwrap());
    assert!(times[0] > 0.0 && times[1] >= times[0], "{shown:?}");

    let path = format!("/console/connections/{}", ids[0].as_str().unwrap());
    let closing = stack.send(Method::DELETE, &path, &[]).await;
    assert_eq!(closing.status, StatusCode::NO_CONTENT);
    assert_eq!(closed(&mut sockets[0]).await, (1000, String::new()));
    let again = stack.send(Method::DELETE, &path, &[]).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    let disconnected = watcher.record_of("disconnected").await;
    assert_eq!(disconnected["connectionId"], ids[0]);
    assert_eq!(disconnected["code"], 1000);
}
