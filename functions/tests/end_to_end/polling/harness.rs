//! A stack that clients may poll.

use serde_json::Value;

use crate::{
    harness::{EVERYTHING, TestStack},
    http_client::{HttpAnswer, send},
};

/// Logs of some entities, of users and of everyone.
const HISTORY: &str = r#"{"logged:**":{"messages":100,"seconds":600},"$user":{"messages":100,"seconds":600},"$everyone":{"messages":20,"seconds":600}}"#;

pub const JSON: (&str, &str) = ("content-type", "application/json");

/// A stack with a URL for polling.
pub struct Polling {
    pub stack: TestStack,
    /// The URL without the slash at its end.
    pub url: String,
}

impl Polling {
    /// Starts a stack with users and logs.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts such a stack with other parameters.
    pub async fn start_with(parameters: &[(&str, &str)]) -> Self {
        let given = [("Poll", "on"), ("History", HISTORY)];
        let parameters = [&given, parameters].concat();
        let stack = TestStack::start_with_users_and_parameters(&parameters).await;
        let url = &stack.running().stack().outputs["PollUrl"];
        let url = url.trim_end_matches('/').to_owned();
        Self { stack, url }
    }

    /// Returns a client of a user with all permissions.
    pub fn poller(&self, user: &str) -> Poller<'_> {
        self.poller_with(&self.stack.token(user, EVERYTHING))
    }

    /// Returns a client with a token.
    pub fn poller_with(&self, token: &str) -> Poller<'_> {
        let bearer = format!("Bearer {token}");
        let url = &self.url;
        Poller { url, bearer }
    }
}

/// A client that polls.
pub struct Poller<'a> {
    url: &'a str,
    bearer: String,
}

impl Poller<'_> {
    /// Polls, and returns the reply.
    pub async fn poll(&self, request: Value) -> Value {
        self.ok(self.post("/poll", &request).await)
    }

    /// Sends a message, and returns the reply.
    pub async fn message(&self, request: Value) -> Value {
        self.ok(self.post("/messages", &request).await)
    }

    fn ok(&self, answer: HttpAnswer) -> Value {
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    pub async fn post(&self, path: &str, request: &Value) -> HttpAnswer {
        self.send("POST", path, &request.to_string()).await
    }

    pub async fn send(&self, method: &str, path: &str, body: &str) -> HttpAnswer {
        let url = format!("{}{path}", self.url);
        let headers = [("authorization", &*self.bearer), JSON];
        send(method, &url, &headers, body.to_owned()).await
    }
}
