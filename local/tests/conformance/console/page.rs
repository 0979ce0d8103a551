//! The page, its files, and its description of the stack.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::harness::TestStack;

#[tokio::test]
async fn browser_gets_the_page_and_terminal_the_overview() {
    let stack = TestStack::start().await;
    for (accept, content_type, beginning) in [
        (
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "text/html; charset=utf-8",
            "<!doctype html>",
        ),
        ("*/*", "text/plain; charset=utf-8", "Herald is ready."),
        ("", "text/plain; charset=utf-8", "Herald is ready."),
    ] {
        let answer = stack.send(Method::GET, "/", &[("accept", accept)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{accept}");
        assert_eq!(answer.headers["content-type"], content_type, "{accept}");
        assert!(answer.body.starts_with(beginning), "{accept}");
    }
}

#[tokio::test]
async fn page_may_not_load_from_other_servers_nor_be_embedded() {
    let stack = TestStack::start().await;
    let html = [("accept", "text/html")];
    let page = stack.send(Method::GET, "/", &html).await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    for rule in ["default-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(rule), "{policy}");
    }
}

#[tokio::test]
async fn every_file_that_the_page_names_is_served() {
    let stack = TestStack::start().await;
    let html = [("accept", "text/html")];
    let page = stack.send(Method::GET, "/", &html).await.body;
    let quoted = page.split('"').skip(1).step_by(2);
    let named: Vec<_> = quoted.filter(|text| text.starts_with("console/")).collect();
    assert!(named.len() >= 2, "{named:?}");
    let more = ["console/herald-client.js", "console/client/machine/link.js"];
    for name in named.into_iter().chain(more) {
        let file = stack.get(&format!("/{name}")).await;
        assert_eq!(file.status, StatusCode::OK, "{name}");
        assert_eq!(file.headers["cache-control"], "no-cache", "{name}");
        let content_type = match name.rsplit('.').next().unwrap() {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            other => panic!("a {other} file"),
        };
        assert_eq!(file.headers["content-type"], content_type, "{name}");
    }
}

#[tokio::test]
async fn missing_path_and_wrong_method_are_refused_with_a_message() {
    let stack = TestStack::start().await;
    for (method, path, status) in [
        (Method::GET, "/console/nothing.js", 404),
        (Method::GET, "/console/..%2Fherald-client.js", 404),
        (Method::GET, "/console/queues/Dead", 404),
        (Method::POST, "/console/queues", 405),
        (Method::GET, "/console/connections/abc", 405),
    ] {
        let answer = stack.send(method.clone(), path, &[]).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}");
        assert!(answer.json()["message"].is_string(), "{method} {path}");
    }
}

#[tokio::test]
async fn description_has_the_addresses_of_json_and_the_functions() {
    let stack = TestStack::of_repository().await;
    let mut document = stack.get("/console/stack.json").await.json();
    let members = document.as_object_mut().unwrap();
    let names = ["region", "functions", "mappings", "outputs", "presence"];
    let [region, functions, mappings, outputs, presence] =
        names.map(|name| members.remove(name).unwrap());
    assert_eq!(document, json!(stack.running.addresses()));
    assert_eq!(region, "us-east-1");
    assert_eq!(outputs, json!(stack.running.stack().outputs));
    assert_eq!(presence, "{}");
    let notifier = json!({
        "logicalId": "NotifierFunction",
        "name": "herald-local-NotifierFunction",
    });
    assert!(functions.as_array().unwrap().contains(&notifier));
    let mapping = json!({"queue": "NotificationQueue", "function": "NotifierFunction"});
    assert_eq!(mappings, Value::Array(vec![mapping]));
}
