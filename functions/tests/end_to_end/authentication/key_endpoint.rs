//! The endpoint with an issuer's keys: how often it is asked, and what happens when it is not well.

use serde_json::{Value, json};

use super::{
    issuer::{AUDIENCE, Issuer, Mood},
    keys::{Ec, token},
    now,
    upgrade::{Upgrade, status},
};
use crate::{
    harness::{TestStack, until},
    watcher::Watcher,
};

/// A good token, signed with a key that is said to have this id.
fn good(issuer: &Issuer, key: &Ec, id: &str) -> String {
    let claims = json!({
        "iss": issuer.name, "aud": AUDIENCE, "sub": "alice", "exp": now() + 600,
    });
    token(&json!({"alg": "ES256", "kid": id}), &claims, |message| {
        key.sign(message)
    })
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs a stack with parameters of its own"
)]
async fn an_unknown_key_id_is_looked_for_once_and_then_refused() {
    let key = Ec::new();
    let issuer = Issuer::start("", vec![key.jwk("known")]).await;
    let stack = issuer.stack().await;
    assert_eq!(issuer.asked(), 0);
    for _ in 0..3 {
        assert_eq!(status(&stack, &good(&issuer, &key, "known")).await, 101);
    }
    assert_eq!(issuer.asked(), 1);
    for id in ["unknown", "unknown", "unknown-2", "unknown-3"] {
        assert_eq!(status(&stack, &good(&issuer, &key, id)).await, 401);
    }
    assert_eq!(issuer.asked(), 2);
    assert_eq!(status(&stack, &good(&issuer, &key, "known")).await, 101);
    assert_eq!(issuer.asked(), 2);
    stack.stop().await;
    issuer.stop();
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs a stack with parameters of its own"
)]
async fn a_key_that_the_issuer_has_made_since_is_found() {
    let (old, new) = (Ec::new(), Ec::new());
    let issuer = Issuer::start("", vec![old.jwk("old")]).await;
    let stack = issuer.stack().await;
    assert_eq!(status(&stack, &good(&issuer, &old, "old")).await, 101);
    issuer.publish(vec![new.jwk("new")]);
    assert_eq!(status(&stack, &good(&issuer, &new, "new")).await, 101);
    assert_eq!(status(&stack, &good(&issuer, &old, "old")).await, 401);
    assert_eq!(issuer.asked(), 2);
    stack.stop().await;
    issuer.stop();
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs a stack with parameters of its own"
)]
async fn while_there_are_no_keys_nobody_new_is_let_in_and_then_all_is_well_again() {
    let key = Ec::new();
    let issuer = Issuer::start("", vec![key.jwk("key")]).await;
    let stack = issuer.stack().await;
    let token = good(&issuer, &key, "key");
    let processes = || {
        let host = stack.running().functions().unwrap();
        host.process_ids("AuthorizerFunction")
    };
    let before = processes();
    let nonsense = "<html><body>502 Bad Gateway</body></html>";
    for mood in [
        Mood::Silent,
        Mood::Answering(500, String::new()),
        Mood::Answering(302, String::new()),
        Mood::Answering(404, json!({"keys": [key.jwk("key")]}).to_string()),
        Mood::Answering(200, nonsense.to_owned()),
        Mood::Answering(200, json!({"keys": []}).to_string()),
        Mood::Answering(200, "x".repeat(1024 * 1024)),
    ] {
        issuer.set_mood(mood.clone());
        let asked = issuer.asked();
        until("the issuer was asked", async || {
            assert_eq!(status(&stack, &token).await, 500, "{mood:?}");
            issuer.asked() > asked
        })
        .await;
    }
    // It gave up by itself each time, and did not hang until Lambda ended it.
    assert_eq!(processes(), before);
    issuer.set_mood(Mood::Well);
    until("a client is let in", async || {
        status(&stack, &token).await == 101
    })
    .await;
    stack.stop().await;
    issuer.stop();
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs a stack with parameters of its own"
)]
async fn an_issuer_that_cannot_be_reached_is_no_reason_to_let_somebody_in() {
    let key = Ec::new();
    let issuer = Issuer::start("", vec![key.jwk("key")]).await;
    let token = good(&issuer, &key, "key");
    let stack = issuer.stack().await;
    issuer.stop();
    assert_eq!(status(&stack, &token).await, 500);
    assert_eq!(Upgrade::default().status(&stack.web_socket()).await, 401);
    // An operator is told of the first, and not of the second.
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

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs a stack with parameters of its own"
)]
async fn while_the_issuer_is_silent_those_with_known_keys_stay_and_come() {
    let key = Ec::new();
    let issuer = Issuer::start("", vec![key.jwk("key")]).await;
    let stack = issuer.stack().await;
    let token = good(&issuer, &key, "key");
    let mut connected = stack.client_with(&token).await;
    issuer.set_mood(Mood::Silent);
    assert_eq!(status(&stack, &good(&issuer, &key, "newer")).await, 500);
    assert_eq!(
        connected.ask(json!({"action": "ping"})).await["type"],
        "pong"
    );
    assert_eq!(status(&stack, &token).await, 101);
    stack.stop().await;
    issuer.stop();
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs a stack with parameters of its own"
)]
async fn an_issuer_that_calls_itself_otherwise_is_not_trusted() {
    let key = Ec::new();
    let issuer = Issuer::start("/tenant", vec![key.jwk("key")]).await;
    // The same place, and not the same name.
    let stack = TestStack::start_with_parameters(&[
        ("Authentication", "jwks"),
        ("TokenIssuer", &format!("{}/", issuer.name)),
        ("TokenAudience", AUDIENCE),
    ])
    .await;
    assert_eq!(status(&stack, &good(&issuer, &key, "key")).await, 500);
    assert_eq!(issuer.asked(), 0);
    stack.stop().await;
    issuer.stop();
}
