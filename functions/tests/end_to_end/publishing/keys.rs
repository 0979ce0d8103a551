//! The life of keys.

use herald_local::template::{Settings, Stack};
use herald_testkit::local_only;
use serde_json::{Value, json};

use super::harness::{KEY_ID, Publishing, entry, everything, key};
use crate::harness::repository;

const OTHER: &str = "k2aaaaaaaaaa";

fn broadcast() -> Value {
    json!({"messages": [{"broadcast": true, "message": 1}]})
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn created_key_works_beside_the_old_one() {
    let publishing = Publishing::start().await;
    let status = async |id: &str| {
        let answer = publishing.send_with(&key(id), &broadcast()).await;
        answer.status
    };
    assert_eq!(status(KEY_ID).await, 200);
    let both = json!({KEY_ID: entry(&everything()), OTHER: entry(&everything())});
    publishing.put_keys(&both).await;
    // The unknown key makes the function look for newer keys.
    assert_eq!((status(OTHER).await, status(KEY_ID).await), (200, 200));
    publishing.stack.stop().await;
}

/// A function that has a key accepts it for a minute more; one that has fetched the keys since does not.
#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn revoked_key_is_refused_by_a_function_with_newer_keys() {
    let publishing = Publishing::start().await;
    let status = async |id: &str| {
        let answer = publishing.send_with(&key(id), &broadcast()).await;
        answer.status
    };
    assert_eq!(status(KEY_ID).await, 200);
    publishing
        .put_keys(&json!({OTHER: entry(&everything())}))
        .await;
    assert_eq!((status(OTHER).await, status(KEY_ID).await), (200, 401));
    publishing.stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn secret_that_is_not_a_set_of_keys_is_internal() {
    let publishing = Publishing::start().await;
    publishing.put_keys(&json!([1])).await;
    let answer = publishing.send_with(&key(KEY_ID), &broadcast()).await;
    let expected = json!({
        "type": "error", "code": "internal", "retryable": true,
        "message": "Herald cannot check keys at the moment: send the request again in a moment",
    });
    assert_eq!((answer.status, answer.json()), (500, expected));
    publishing.stack.stop().await;
}

#[local_only("needs no stack")]
#[test]
fn without_parameters_there_is_no_function_no_secret_and_no_url() {
    let read = |parameters: &[(&str, &str)]| {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let open = [("Authentication", "open")];
        let settings = Settings {
            parameters: open.iter().chain(parameters).map(owned).collect(),
            ..Settings::new("http://127.0.0.1:3030")
        };
        Stack::read(&repository().join("template.yaml"), &settings).unwrap()
    };
    let has = |stack: &Stack, binary: &str| {
        stack
            .functions
            .iter()
            .any(|function| function.binary == binary)
    };
    let off = read(&[]);
    assert!(!has(&off, "publish") && !has(&off, "poll"));
    assert!(off.secrets.is_empty() && off.function_urls.is_empty());
    assert!(
        !off.outputs
            .keys()
            .any(|name| name.ends_with("Url") && !name.ends_with("QueueUrl"))
    );

    let on = read(&[("PublishKeys", "create"), ("Poll", "on")]);
    assert!(has(&on, "publish") && has(&on, "poll"));
    assert_eq!((on.secrets.len(), on.function_urls.len()), (1, 2));
    let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:keys-AbC123";
    let given = read(&[("PublishKeys", arn)]);
    assert!(has(&given, "publish") && !has(&given, "poll") && given.secrets.is_empty());
    assert_eq!(given.outputs["PublishKeysArn"], arn);
}
