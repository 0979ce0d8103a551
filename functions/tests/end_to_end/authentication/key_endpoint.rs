//! The endpoint of an issuer's keys: the number of requests to it, and its failures.

use herald_testkit::local_only;
use serde_json::{Value, json};

use super::{
    issuer::{AUDIENCE, Issuer, KeyAnswer},
    keys::{Ec, token},
    now,
    upgrade::{Upgrade, status},
};
use crate::{
    harness::{TestStack, until},
    watcher::Watcher,
};

/// Returns a valid token, signed with this key under this key id.
fn valid(issuer: &Issuer, key: &Ec, id: &str) -> String {
    let claims = json!({
        "iss": issuer.name, "aud": AUDIENCE, "sub": "alice", "exp": now() + 600,
    });
    token(&json!({"alg": "ES256", "kid": id}), &claims, |message| {
        key.sign(message)
    })
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn unknown_key_id_makes_one_request_and_is_refused() {
    let key = Ec::new();
    let issuer = Issuer::start("", vec![key.jwk("known")]).await;
    let stack = issuer.stack().await;
    assert_eq!(issuer.asked(), 0);
    for _ in 0..3 {
        assert_eq!(status(&stack, &valid(&issuer, &key, "known")).await, 101);
    }
    assert_eq!(issuer.asked(), 1);
    for id in ["unknown", "unknown", "unknown-2", "unknown-3"] {
        assert_eq!(status(&stack, &valid(&issuer, &key, id)).await, 401);
    }
    assert_eq!(issuer.asked(), 2);
    assert_eq!(status(&stack, &valid(&issuer, &key, "known")).await, 101);
    assert_eq!(issuer.asked(), 2);
    stack.stop().await;
    issuer.stop();
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn new_key_of_the_issuer_is_fetched() {
    let (old, new) = (Ec::new(), Ec::new());
    let issuer = Issuer::start("", vec![old.jwk("old")]).await;
    let stack = issuer.stack().await;
    assert_eq!(status(&stack, &valid(&issuer, &old, "old")).await, 101);
    issuer.publish(vec![new.jwk("new")]);
    assert_eq!(status(&stack, &valid(&issuer, &new, "new")).await, 101);
    assert_eq!(status(&stack, &valid(&issuer, &old, "old")).await, 401);
    assert_eq!(issuer.asked(), 2);
    stack.stop().await;
    issuer.stop();
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn clients_are_refused_with_500_until_the_keys_can_be_fetched() {
    let key = Ec::new();
    let issuer = Issuer::start("", vec![key.jwk("key")]).await;
    let stack = issuer.stack().await;
    let token = valid(&issuer, &key, "key");
    let processes = || {
        let host = stack.running().functions().unwrap();
        host.process_ids("AuthorizerFunction")
    };
    let before = processes();
    let nonsense = "<html><body>502 Bad Gateway</body></html>";
    for answer in [
        KeyAnswer::Silent,
        KeyAnswer::Status(500, String::new()),
        KeyAnswer::Status(302, String::new()),
        KeyAnswer::Status(404, json!({"keys": [key.jwk("key")]}).to_string()),
        KeyAnswer::Status(200, nonsense.to_owned()),
        KeyAnswer::Status(200, json!({"keys": []}).to_string()),
        KeyAnswer::Status(200, "x".repeat(1024 * 1024)),
    ] {
        issuer.set_answer(answer.clone());
        let asked = issuer.asked();
        until("the issuer was asked", async || {
            assert_eq!(status(&stack, &token).await, 500, "{answer:?}");
            issuer.asked() > asked
        })
        .await;
    }
    // The authorizer timed out by itself each time; Lambda ended no process.
    assert_eq!(processes(), before);
    issuer.set_answer(KeyAnswer::Keys);
    until("a client is admitted", async || {
        status(&stack, &token).await == 101
    })
    .await;
    stack.stop().await;
    issuer.stop();
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn unreachable_issuer_refuses_clients_with_500() {
    let key = Ec::new();
    let issuer = Issuer::start("", vec![key.jwk("key")]).await;
    let token = valid(&issuer, &key, "key");
    let stack = issuer.stack().await;
    issuer.stop();
    assert_eq!(status(&stack, &token).await, 500);
    assert_eq!(Upgrade::default().status(&stack.web_socket()).await, 401);
    // The metric counts the first refusal and not the second.
    let endpoint = &stack.running().addresses().endpoint;
    let mut watcher = Watcher::start(endpoint, None).await;
    for counted in [true, false] {
        let invocation = watcher.record_of("invocation").await;
        assert_eq!(invocation["function"], "AuthorizerFunction");
        let logs = invocation["logs"].as_array().unwrap();
        let mut metrics = logs.iter().filter_map(|line| {
            let line: Value = serde_json::from_str(line.as_str().unwrap()).ok()?;
            Some(line.get("KeysUnavailable")?.clone())
        });
        assert_eq!(metrics.next(), counted.then(|| json!(1)), "{logs:?}");
    }
    stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn silent_issuer_does_not_affect_tokens_of_known_keys() {
    let key = Ec::new();
    let issuer = Issuer::start("", vec![key.jwk("key")]).await;
    let stack = issuer.stack().await;
    let token = valid(&issuer, &key, "key");
    let mut connected = stack.client_with(&token).await;
    issuer.set_answer(KeyAnswer::Silent);
    assert_eq!(status(&stack, &valid(&issuer, &key, "newer")).await, 500);
    assert_eq!(
        connected.ask(json!({"action": "ping"})).await["type"],
        "pong"
    );
    assert_eq!(status(&stack, &token).await, 101);
    stack.stop().await;
    issuer.stop();
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn issuer_with_another_name_is_not_trusted() {
    let key = Ec::new();
    let issuer = Issuer::start("/tenant", vec![key.jwk("key")]).await;
    // The same place, but another name.
    let stack = TestStack::start_with_parameters(&[
        ("Authentication", "jwks"),
        ("TokenIssuer", &format!("{}/", issuer.name)),
        ("TokenAudience", AUDIENCE),
    ])
    .await;
    assert_eq!(status(&stack, &valid(&issuer, &key, "key")).await, 500);
    assert_eq!(issuer.asked(), 0);
    stack.stop().await;
    issuer.stop();
}
