//! `herald key`.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use futures_util::future::join_all;
use herald_local::Authentication;
use serde_json::{Value, json};

use crate::harness::{FakeServer, TestStack, herald, json_lines};

/// Starts a stack that publishes over HTTP.
pub async fn start() -> TestStack {
    TestStack::start_with(Authentication::Open, &[("PublishKeys", "create")]).await
}

/// Creates a key with these permissions and returns its text.
pub async fn created(stack: &TestStack, may: &str) -> String {
    let key = stack.done(&["key", "create", "--may", may]).await;
    key.trim().to_owned()
}

#[tokio::test]
async fn key_is_printed_once_and_only_its_hash_is_stored() {
    let stack = start().await;
    let created = [
        "key",
        "create",
        "--may",
        "order:*=publish",
        "--may",
        "**=broadcast",
        "--comment",
        "the shop",
        "--json",
    ];
    let created: Value = json_lines(&stack.done(&created).await).remove(0);
    let key = created["key"].as_str().expect("a key");
    let id = created["id"].as_str().expect("an id");
    let may = json!({"**": ["broadcast"], "order:*": ["publish"]});
    assert!(key.starts_with(&format!("hk_{id}_")), "{id}");
    assert_eq!(created["may"], may);

    let secret = stack.publish_keys().await;
    assert!(!secret.contains(key.rsplit_once('_').expect("a secret").1));
    let stored: Value = serde_json::from_str(&secret).expect("JSON");
    let fields: Vec<_> = stored[id].as_object().expect("a key").keys().collect();
    assert_eq!(fields, ["comment", "createdAt", "may", "sha256"]);
    assert_eq!(stored[id]["sha256"].as_str().map(str::len), Some(64));

    let listed = json_lines(&stack.done(&["key", "list", "--json"]).await).remove(0);
    assert_eq!(
        listed,
        json!({
            "id": id, "may": may, "comment": "the shop", "isValid": true,
            "createdAt": stored[id]["createdAt"],
        })
    );
    let text = stack.done(&["key", "list"]).await;
    assert!(
        text.starts_with(id) && text.ends_with("  the shop\n"),
        "{text}"
    );
    assert!(!text.contains("sha256"), "{text}");
    stack.stop().await;
}

#[tokio::test]
async fn list_without_keys_says_so() {
    let stack = start().await;
    let ended = stack.herald(&["key", "list"]).run("").await;
    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (Some(0), "", "no keys found\n")
    );
    stack.stop().await;
}

#[tokio::test]
async fn key_without_flags_may_do_everything() {
    let stack = start().await;
    let ended = stack.herald(&["key", "create"]).run("").await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let key = ended.stdout.trim();
    assert!(key.starts_with("hk_") && key.len() == 59, "{}", key.len());
    assert!(!ended.stderr.contains(key), "only the output has the key");
    let listed = json_lines(&stack.done(&["key", "list", "--json"]).await).remove(0);
    assert_eq!(
        listed["may"],
        json!({"**": ["publish", "broadcast", "user"]})
    );
    stack.stop().await;
}

#[tokio::test]
async fn keys_that_are_created_at_once_are_all_kept() {
    let stack = start().await;
    let keys = join_all((0..12).map(|_| created(&stack, "**=publish"))).await;
    let listed = json_lines(&stack.done(&["key", "list", "--json"]).await);
    let mut listed: Vec<_> = listed.iter().map(|key| key["id"].as_str()).collect();
    let mut expected: Vec<_> = keys.iter().map(|key| key.split('_').nth(1)).collect();
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
    stack.stop().await;
}

#[tokio::test]
async fn revoked_key_is_removed_and_the_others_stay() {
    let stack = start().await;
    let (first, second) = (
        created(&stack, "a=publish").await,
        created(&stack, "b=publish").await,
    );
    let id = |key: &str| key.split('_').nth(1).expect("an id").to_owned();
    // One mistyped id: nothing is revoked.
    let wrong = stack
        .herald(&["key", "revoke", &id(&first), "nosuchkey000"])
        .run("")
        .await;
    assert_eq!(wrong.code, Some(2));
    assert!(
        wrong.stderr.contains("the stack has no key nosuchkey000"),
        "{}",
        wrong.stderr
    );
    assert_eq!(
        json_lines(&stack.done(&["key", "list", "--json"]).await).len(),
        2
    );
    // The whole key serves as its id.
    let revoked = stack.done(&["key", "revoke", &first, "--json"]).await;
    assert_eq!(json_lines(&revoked), [json!({"id": id(&first)})]);
    let left = json_lines(&stack.done(&["key", "list", "--json"]).await);
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["id"], id(&second));
    stack.stop().await;
}

#[tokio::test]
async fn stack_without_keys_is_wrong_usage() {
    let stack = TestStack::start(Authentication::Open).await;
    for arguments in [
        &["key", "create"][..],
        &["key", "list"],
        &["key", "revoke", "a"],
    ] {
        let ended = stack.herald(arguments).run("").await;
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert!(ended.stderr.contains("has no API keys"), "{}", ended.stderr);
    }
    let ended = herald(&["key", "create", "--may", "a=subscribe"])
        .run("")
        .await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("got `subscribe`"), "{}", ended.stderr);
    let ended = herald(&["key", "create", "--may", "a=user"]).run("").await;
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains("--may is invalid: ")
            && ended.stderr.contains("user concerns no entity"),
        "{}",
        ended.stderr
    );
    stack.stop().await;
}

/// A fake Secrets Manager whose current version is always the same, and the tokens that it has seen.
type Tokens = Arc<Mutex<Vec<String>>>;

/// Refuses the first token, whose version exists already, and accepts any other.
async fn rolled_back(
    State(tokens): State<Tokens>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, Json<Value>) {
    if headers["x-amz-target"] == "secretsmanager.GetSecretValue" {
        let value = json!({"ARN": "arn", "Name": "keys", "VersionId": "v", "SecretString": "{}"});
        return (StatusCode::OK, Json(value));
    }
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let token = body["ClientRequestToken"].as_str().expect("a token");
    let mut tokens = tokens.lock().expect("not poisoned");
    tokens.push(token.to_owned());
    if tokens[0] == token {
        let error = json!({"__type": "ResourceExistsException", "message": "exists"});
        return (StatusCode::BAD_REQUEST, Json(error));
    }
    (
        StatusCode::OK,
        Json(json!({"ARN": "arn", "VersionId": token})),
    )
}

#[tokio::test]
async fn key_is_created_after_an_old_version_was_made_current_again() {
    let tokens = Tokens::default();
    let server = FakeServer::start(|endpoint| {
        let description = json!({
            "webSocket": "ws://127.0.0.1:1/dev", "endpoint": endpoint,
            "outputs": {"PublishKeysArn": "arn"},
        });
        Router::new()
            .route("/console/stack.json", get(async || Json(description)))
            .route("/", post(rolled_back))
            .with_state(tokens.clone())
    })
    .await;
    let ended = herald(&["--endpoint", &server.url, "key", "create"])
        .run("")
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(tokens.lock().expect("not poisoned").len(), 6);
}
