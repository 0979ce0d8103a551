//! A stack that publishes over HTTP, and its keys.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::{
    harness::TestStack,
    http_client::{HttpAnswer, send},
};

/// The id of the key that [`Publishing::start`] makes.
pub const KEY_ID: &str = "k1aaaaaaaaaa";

const SECRET: &str = "0123456789abcdefABCDEF0123456789abcdefABCDE";

/// The permissions to publish everything.
pub fn everything() -> Value {
    json!({"**": ["publish", "broadcast", "user"]})
}

/// Logs of some entities and of everyone, and the last message of some.
const HISTORY: &str = r#"{"logged:**":{"messages":100,"seconds":600},"$everyone":{"messages":20,"seconds":600},"last:*":{"last":true}}"#;

/// Returns a key as its holder has it.
pub fn key(id: &str) -> String {
    format!("hk_{id}_{SECRET}")
}

/// Returns the entry of a key in the secret.
pub fn entry(may: &Value) -> Value {
    let sha256 = digest(&SHA256, SECRET.as_bytes());
    let sha256: String = sha256
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    json!({"sha256": sha256, "may": may, "createdAt": "2026-11-28T10:00:00Z"})
}

/// A stack with a URL for publishing.
pub struct Publishing {
    pub stack: TestStack,
    pub url: String,
}

impl Publishing {
    /// Starts a stack with users and logs, and one key that may publish everything.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts such a stack with other parameters.
    pub async fn start_with(parameters: &[(&str, &str)]) -> Self {
        let given = [("PublishKeys", "create"), ("History", HISTORY)];
        let parameters = [&given, parameters].concat();
        let stack = TestStack::start_with_users_and_parameters(&parameters).await;
        let url = stack.running().stack().outputs["PublishUrl"].clone();
        let publishing = Self { stack, url };
        let keys = json!({KEY_ID: entry(&everything())});
        publishing.put_keys(&keys).await;
        publishing
    }

    /// Replaces the keys.
    pub async fn put_keys(&self, keys: &Value) {
        let secrets = aws_sdk_secretsmanager::Client::new(self.stack.aws());
        let arn = &self.stack.running().stack().outputs["PublishKeysArn"];
        let put = secrets.put_secret_value().secret_id(arn);
        put.secret_string(keys.to_string()).send().await.unwrap();
    }

    /// Sends a request with a key.
    pub async fn send_with(&self, key: &str, body: &Value) -> HttpAnswer {
        let bearer = format!("Bearer {key}");
        let headers = [
            ("authorization", &*bearer),
            ("content-type", "application/json"),
        ];
        send("POST", &self.url, &headers, body.to_string()).await
    }

    /// Publishes messages and returns their results.
    pub async fn publish(&self, messages: Value) -> Vec<Value> {
        self.results(&json!({"messages": messages})).await
    }

    /// Publishes messages over the bus and returns their results.
    pub async fn publish_on_bus(&self, messages: Value) -> Vec<Value> {
        self.results(&json!({"messages": messages, "bus": true}))
            .await
    }

    async fn results(&self, body: &Value) -> Vec<Value> {
        let answer = self.send_with(&key(KEY_ID), body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["results"].as_array().unwrap().clone()
    }
}
