//! Requests of clients that poll, each with its exact answer.

use herald_testkit::local_only;
use serde_json::{Value, json};

use super::harness::{JSON, Polling};
use crate::{
    harness::{EVERYTHING, TestStack},
    http_client::send,
};

fn error(code: &str, message: &str) -> Value {
    json!({"type": "error", "code": code, "message": message, "retryable": false})
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn request_without_a_valid_token_is_unauthorized() {
    let polling = Polling::start().await;
    let token = polling.stack.token("ann", EVERYTHING);
    let expected = error("unauthorized", "the token is not accepted: get a new token");
    for authorization in [
        None,
        Some("Bearer".to_owned()),
        Some(token.clone()),
        Some(format!("Basic {token}")),
        Some(format!("Bearer {token}x")),
        Some(format!("Bearer {token},{token}")),
        Some(format!("Bearer {}", "x".repeat(9000))),
    ] {
        let mut headers = vec![JSON];
        headers.extend(
            authorization
                .iter()
                .map(|value| ("authorization", &**value)),
        );
        for (method, path) in [
            ("POST", "/poll"),
            ("POST", "/messages"),
            ("GET", "/position?entityId=a"),
        ] {
            let url = format!("{}{path}", polling.url);
            let answer = send(method, &url, &headers, "{}").await;
            assert_eq!(
                (answer.status, &answer.json()),
                (401, &expected),
                "{authorization:?}"
            );
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    polling.stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn wrong_request_is_refused() {
    let polling = Polling::start().await;
    let ann = polling.poller("ann");
    let paths = "there is nothing at this path: use POST /poll, POST /messages or GET /position";
    let no_path = error("unknown_action", paths);
    let post = error("unknown_action", "this path has no such method: use POST");
    let get = error("unknown_action", "this path has no such method: use GET");
    let bad = |message: &str| error("bad_request", message);
    let no_entity = bad("the query string needs one entityId: send ?entityId=order-1");
    let long = format!("/position?entityId={}", "x".repeat(257));
    let entities: Value = (0..101)
        .map(|number| (number.to_string(), json!({})))
        .collect();
    let too_many = json!({"entities": entities}).to_string();
    let too_large = format!(
        r#"{{"entities":{{}},"padding":"{}"}}"#,
        "x".repeat(32 * 1024)
    );
    for (method, path, body, status, expected) in [
        ("POST", "/", "{}", 404, no_path.clone()),
        ("POST", "/poll/", "{}", 404, no_path.clone()),
        ("POST", "/Poll", "{}", 404, no_path.clone()),
        ("GET", "/poll", "", 405, post.clone()),
        ("PUT", "/messages", "{}", 405, post),
        ("POST", "/position?entityId=a", "{}", 405, get),
        (
            "POST",
            "/poll",
            "",
            400,
            bad("the body is missing: send a JSON object"),
        ),
        (
            "POST",
            "/poll",
            "no",
            400,
            bad("the body is not a JSON object: send one"),
        ),
        (
            "POST",
            "/poll",
            "[]",
            400,
            bad("the body is not a JSON object: send one"),
        ),
        (
            "POST",
            "/poll",
            "{}",
            400,
            bad("the frame names no log: send positions in entities, user or everyone"),
        ),
        (
            "POST",
            "/poll",
            r#"{"user":{},"pollAfter":"soon"}"#,
            400,
            bad("pollAfter must be a whole number of at least 0"),
        ),
        (
            "POST",
            "/poll",
            &too_many,
            400,
            error(
                "too_many",
                "entities has 101 entities, the limit is 100: send the others in another frame",
            ),
        ),
        (
            "POST",
            "/poll",
            &too_large,
            413,
            error(
                "too_large",
                "the message is 32796 bytes long, the limit is 32768: send a shorter message",
            ),
        ),
        (
            "POST",
            "/messages",
            "{}",
            400,
            bad("message is missing: send any JSON value"),
        ),
        ("GET", "/position", "", 400, no_entity.clone()),
        (
            "GET",
            "/position?entityId=a&entityId=b",
            "",
            400,
            no_entity.clone(),
        ),
        ("GET", "/position?entityid=a", "", 400, no_entity),
        (
            "GET",
            "/position?entityId=",
            "",
            400,
            bad("entityId must not be empty"),
        ),
        (
            "GET",
            &long,
            "",
            400,
            bad("entityId is 257 bytes long, the limit is 256"),
        ),
        (
            "GET",
            "/position?entityId=unlogged",
            "",
            400,
            bad("this audience has no log: the stack's parameter History has no policy for it"),
        ),
    ] {
        let answer = ann.send(method, path, body).await;
        assert_eq!(
            (answer.status, &answer.json()),
            (status, &expected),
            "{method} {path} {body:.100}"
        );
    }
    let bearer = format!("Bearer {}", polling.stack.token("ann", EVERYTHING));
    let plain = [("authorization", &*bearer), ("content-type", "text/plain")];
    let answer = send("POST", &format!("{}/poll", polling.url), &plain, "{}").await;
    assert_eq!(answer.status, 415);
    polling.stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn token_without_the_right_is_forbidden() {
    let polling = Polling::start().await;
    let token = polling
        .stack
        .token("ann", r#"{"logged:mine":["subscribe"]}"#);
    let ann = polling.poller_with(&token);
    let forbidden = |action: &str| {
        error(
            "forbidden",
            &format!("you may not {action}: no permission of your token allows it"),
        )
    };
    for (path, body, action) in [
        (
            "/messages",
            json!({"entityId": "logged:mine", "message": 1}),
            "publish to logged:mine",
        ),
        (
            "/messages",
            json!({"broadcast": true, "message": 1}),
            "broadcast",
        ),
    ] {
        let answer = ann.post(path, &body).await;
        assert_eq!(
            (answer.status, answer.json()),
            (403, forbidden(action)),
            "{body}"
        );
    }
    let answer = ann.send("GET", "/position?entityId=logged:other", "").await;
    assert_eq!(
        (answer.status, answer.json()),
        (403, forbidden("subscribe to logged:other"))
    );
    let reply = ann
        .poll(json!({"entities": {"logged:mine": {}, "logged:other": {}}}))
        .await;
    assert_eq!(reply["entities"]["logged:mine"], json!({"offset": 0}));
    assert_eq!(
        reply["entities"]["logged:other"]["error"]["code"],
        "forbidden"
    );
    polling.stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn page_of_another_origin_may_not_poll() {
    let parameters = [("PollOrigins", "https://app.example.com,https://b.example")];
    let polling = Polling::start_with(&parameters).await;
    let bearer = format!("Bearer {}", polling.stack.token("ann", EVERYTHING));
    let url = format!("{}/poll", polling.url);
    for (origin, status) in [
        ("https://app.example.com", 200),
        ("https://b.example", 200),
        ("https://evil.example", 403),
        ("null", 403),
    ] {
        let headers = [("authorization", &*bearer), JSON, ("origin", origin)];
        let answer = send("POST", &url, &headers, r#"{"user":{}}"#).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let allowed = if status == 200 { origin } else { "" };
        assert_eq!(answer.header("access-control-allow-origin"), allowed);
    }
    let preflight = [
        ("origin", "https://app.example.com"),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization,content-type",
        ),
    ];
    let answer = send("OPTIONS", &url, &preflight, "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://app.example.com"
    );
    polling.stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn without_authentication_every_client_may_poll_anonymously() {
    let history = r#"{"logged:**":{"messages":100,"seconds":600}}"#;
    let parameters = [("Poll", "on"), ("History", history)];
    let stack = TestStack::start_with_parameters(&parameters).await;
    let url = format!("{}poll", stack.running().stack().outputs["PollUrl"]);
    let body = r#"{"entities":{"logged:1":{}},"user":{}}"#;
    let answer = send("POST", &url, &[JSON], body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let reply = answer.json();
    assert_eq!(reply["entities"]["logged:1"], json!({"offset": 0}));
    assert_eq!(reply["user"]["error"]["code"], "forbidden");
    stack.stop().await;
}
