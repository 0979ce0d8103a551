//! A reader of `/console/activity`. The tests of `functions` use this file, too.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, body::Incoming};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;
use tokio::time::timeout;

/// Longer than any step; it only ends a test that would wait forever.
const PATIENCE: Duration = Duration::from_secs(120);

/// A reader of `/console/activity`.
pub struct Watcher {
    body: Incoming,
    unread: String,
}

/// One Server-Sent Event.
#[derive(Debug, Default)]
pub struct SentEvent {
    pub id: Option<String>,
    /// Its type, unless it is the default.
    pub event: Option<String>,
    pub data: Value,
}

impl Watcher {
    /// Watches from the oldest record or, as a browser that reconnects, from the one after this event.
    pub async fn start(endpoint: &str, last_event_id: Option<&str>) -> Self {
        let mut request = Request::get(format!("{endpoint}/console/activity"));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let response = client.request(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body(),
            unread: String::new(),
        }
    }

    /// Waits for the next event with data and returns it.
    pub async fn event(&mut self) -> SentEvent {
        loop {
            let event = parse(&self.block().await);
            if !event.data.is_null() {
                return event;
            }
        }
    }

    /// Waits for the next record and returns it.
    pub async fn record(&mut self) -> Value {
        let event = self.event().await;
        assert_eq!(event.event, None, "{event:?}");
        event.data
    }

    /// Waits for the next record of a kind and returns it.
    pub async fn record_of(&mut self, kind: &str) -> Value {
        loop {
            let record = self.record().await;
            if record["kind"] == kind {
                return record;
            }
        }
    }

    /// Waits for the next empty line and returns the text before it.
    async fn block(&mut self) -> String {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let block = block.to_owned();
                self.unread = rest.to_owned();
                return block;
            }
            let frame = timeout(PATIENCE, self.body.frame()).await;
            let frame = frame.expect("an event in time").expect("no end").unwrap();
            let bytes = frame.into_data().unwrap();
            self.unread.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }
}

fn parse(block: &str) -> SentEvent {
    let mut event = SentEvent::default();
    for line in block.lines() {
        match line.split_once(": ") {
            Some(("id", id)) => event.id = Some(id.to_owned()),
            Some(("event", kind)) => event.event = Some(kind.to_owned()),
            Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
            Some(("retry", _)) => {}
            _ => panic!("unexpected line {line:?}"),
        }
    }
    event
}
