//! An old client against a stack with logs, and this client against an old server.

use std::{collections::BTreeSet, time::Duration};

use futures_util::{SinkExt, StreamExt};
use herald_client::{Client, ConnectionState, Message, Options};
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite};

use crate::{
    harness::{TestStack, entity, in_time},
    scripted_server::{ScriptedServer, ServerConnection},
};

/// The fields that logs added to frames. A client of version 0.1.0 ignores them.
const NEW_FIELDS: [&str; 4] = ["epoch", "offset", "top", "positions"];

/// A client of version 0.1.0: it knows neither positions nor `sync` and `history`.
struct OldClient {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    requests: usize,
    /// The pushes that arrived, as the client knows them.
    pushes: Vec<Value>,
    event_ids: BTreeSet<String>,
    /// The number of new fields that the client ignored.
    ignored: usize,
}

impl OldClient {
    async fn connect(stack: &TestStack) -> Self {
        let (socket, _) = in_time("connected", connect_async(stack.web_socket()))
            .await
            .expect("a connection");
        Self {
            socket,
            requests: 0,
            pushes: Vec::new(),
            event_ids: BTreeSet::new(),
            ignored: 0,
        }
    }

    async fn send(&mut self, frame: &Value) {
        let text = tungstenite::Message::text(frame.to_string());
        self.socket.send(text).await.expect("a connection");
    }

    /// Returns the next frame, as the client knows it.
    async fn frame(&mut self) -> Value {
        let message = in_time("a frame arrived", self.socket.next()).await;
        let text = message.expect("a frame").expect("a connection");
        let mut fields: Map<String, Value> =
            serde_json::from_str(text.to_text().expect("a text")).expect("an object");
        for name in NEW_FIELDS {
            self.ignored += usize::from(fields.remove(name).is_some());
        }
        Value::Object(fields)
    }

    /// Sends a request, and returns its reply. Pushes may arrive before it.
    async fn request(&mut self, mut request: Value) -> Value {
        self.requests += 1;
        let id = self.requests.to_string();
        request["id"] = json!(id);
        self.send(&request).await;
        loop {
            let frame = self.frame().await;
            if frame["id"] == json!(id) {
                return frame;
            }
            self.note(frame);
        }
    }

    /// Keeps a push, which is no repeat.
    fn note(&mut self, push: Value) {
        let event_id = push["eventId"].as_str().expect("an event id");
        assert!(self.event_ids.insert(event_id.to_owned()), "{push}");
        self.pushes.push(push);
    }

    /// Returns the next pushes, ordered by their message.
    async fn pushes(&mut self, count: usize) -> Vec<Value> {
        while self.pushes.len() < count {
            let frame = self.frame().await;
            self.note(frame);
        }
        let mut pushes = std::mem::take(&mut self.pushes);
        pushes.sort_by_key(|push| push["message"].to_string());
        pushes
    }
}

/// Replaces what differs in every run.
fn comparable(mut frame: Value) -> Value {
    for name in ["eventId", "time"] {
        if let Some(field) = frame.get_mut(name) {
            assert!(field.is_string(), "{name} is {field}");
            *field = json!(name);
        }
    }
    if let Some(Value::Array(ids)) = frame.get_mut("eventIds") {
        ids.fill(json!("eventId"));
    }
    frame
}

/// Returns everything that an old client receives, and the number of new fields that it ignored.
async fn conversation(stack: &TestStack) -> (Vec<Value>, usize) {
    let subscribe = json!({"action": "subscribe", "entityId": "order-1"});
    let unsubscribe = json!({"action": "unsubscribe", "entityId": "order-1"});
    let to_order = json!({"action": "sendMessage", "entityId": "order-1", "message": "hello"});
    let mut client = OldClient::connect(stack).await;
    let mut other = OldClient::connect(stack).await;
    let mut seen = Vec::new();

    seen.push(client.request(subscribe.clone()).await);
    seen.push(other.request(subscribe.clone()).await);
    for number in 1..=5 {
        stack.update("order-1", number).await;
    }
    stack.put_event("Broadcast", json!({"message": 6})).await;
    seen.extend(client.pushes(6).await);
    seen.extend(other.pushes(6).await);

    seen.push(client.request(to_order.clone()).await);
    seen.extend(other.pushes(1).await);
    let several = json!({"action": "sendMessage", "entityId": "order-1", "messages": [{"message": 1}, {"message": 2}]});
    seen.push(client.request(several).await);
    seen.extend(other.pushes(2).await);
    let everyone =
        json!({"action": "sendMessage", "broadcast": true, "message": "all", "name": "old"});
    seen.push(client.request(everyone).await);
    seen.extend(other.pushes(1).await);
    seen.push(
        client
            .request(json!({"action": "sendMessage", "message": "echo"}))
            .await,
    );
    client.send(&json!({"action": "ping"})).await;
    seen.push(client.frame().await);

    // What is published while a client is not subscribed is not for it.
    seen.push(client.request(unsubscribe).await);
    stack.update("order-1", 7).await;
    seen.extend(other.pushes(1).await);
    seen.push(client.request(subscribe.clone()).await);
    drop(client);
    stack.update("order-1", 8).await;
    seen.extend(other.pushes(1).await);
    let mut again = OldClient::connect(stack).await;
    seen.push(again.request(subscribe).await);
    stack.update("order-1", 9).await;
    seen.extend(again.pushes(1).await);
    seen.extend(other.pushes(1).await);

    seen.push(
        again
            .request(json!({"action": "subscribe", "entityId": ""}))
            .await,
    );
    seen.push(
        again
            .request(json!({"action": "sendMessage", "messages": []}))
            .await,
    );
    (seen, other.ignored + again.ignored)
}

#[tokio::test]
async fn old_client_receives_the_same_from_a_stack_with_logs() {
    let mut conversations = Vec::new();
    for has_logs in [false, true] {
        let stack = match has_logs {
            true => TestStack::start_with_history().await,
            false => TestStack::start().await,
        };
        let (frames, ignored) = conversation(&stack).await;
        assert_eq!(ignored > 0, has_logs, "{ignored} new fields");
        conversations.push(frames.into_iter().map(comparable).collect::<Vec<_>>());
        stack.stop().await;
    }
    assert_eq!(conversations[1], conversations[0]);
}

/// The actions and fields of requests that a server of version 0.1.0 knows.
const OLD_ACTIONS: [&str; 4] = ["subscribe", "unsubscribe", "sendMessage", "ping"];
const OLD_FIELDS: [&str; 5] = ["action", "id", "entityId", "message", "broadcast"];

/// Answers requests as a server of version 0.1.0 does, up to the first ping after so many acknowledged ones. Returns
/// them all.
async fn serve_as_old(served: &mut ServerConnection, acknowledged: usize) -> Vec<Value> {
    let mut requests = Vec::new();
    let mut acks = 0;
    loop {
        let request = served.frame().await.expect("a request");
        let reply = reply_of_old(&request);
        acks += usize::from(reply["type"] == "ack");
        let is_last = reply["type"] == "pong" && acks >= acknowledged;
        served.send(reply).await;
        requests.push(request);
        if is_last {
            return requests;
        }
    }
}

fn reply_of_old(request: &Value) -> Value {
    let action = request["action"].as_str().expect("an action");
    match action {
        "ping" => json!({"type": "pong"}),
        action if !OLD_ACTIONS.contains(&action) => error_reply(request, "unknown_action"),
        "subscribe" if request.get("entityId").is_none() => error_reply(request, "bad_request"),
        _ => {
            let mut ack = json!({"type": "ack", "action": action, "id": request["id"]});
            if let Some(entity) = request.get("entityId") {
                ack["entityId"] = entity.clone();
            }
            ack
        }
    }
}

fn error_reply(request: &Value, code: &str) -> Value {
    json!({
        "type": "error", "action": request["action"], "id": request["id"],
        "code": code, "message": "refused", "retryable": false,
    })
}

/// Returns a client that pings often.
fn start(server: &ScriptedServer) -> Client {
    let options = Options::new()
        .back_off(Duration::from_millis(1), Duration::from_millis(10))
        .keep_alive(Duration::from_millis(300), Duration::from_secs(60));
    Client::start(&server.web_socket(), options).expect("an address")
}

#[tokio::test]
async fn client_of_an_old_server_sends_what_that_knows_and_keeps_alive_with_pings() {
    let server = ScriptedServer::start().await;
    let client = start(&server);
    let first = client.subscribe(entity("order-1"));
    let second = client.subscribe(entity("order-2"));
    let sent = client.send(Message::to_entity(entity("order-1"), 1));
    let mut served = server.accept().await;
    let (requests, first, second, sent) =
        tokio::join!(serve_as_old(&mut served, 3), first, second, sent);
    let (mut first, _second) = (first.expect("acknowledged"), second.expect("acknowledged"));
    sent.expect("acknowledged");
    served
        .send(
            json!({"type": "Entity Updated", "entityId": "order-1", "message": 2, "eventId": "e2"}),
        )
        .await;
    let push = in_time("a push arrived", first.recv()).await;
    assert_eq!(push.expect("a push").message::<u32>().expect("a number"), 2);

    drop(served);
    let mut served = server.accept().await;
    let again = serve_as_old(&mut served, 2).await;
    assert_eq!(client.state(), ConnectionState::Open);
    for requests in [&requests, &again] {
        // A server that does not know the form for several entities refuses it.
        let refused = |request: &&Value| request.get("entities").is_some();
        for request in requests.iter().filter(|request| !refused(request)) {
            let action = request["action"].as_str().expect("an action");
            assert!(OLD_ACTIONS.contains(&action), "{request}");
            let mut fields = request.as_object().expect("fields").keys();
            assert!(
                fields.all(|name| OLD_FIELDS.contains(&name.as_str())),
                "{request}"
            );
        }
        let of_subscribes =
            |request: &&Value| request["entityId"].is_string() && request["action"] == "subscribe";
        assert_eq!(
            requests.iter().filter(of_subscribes).count(),
            2,
            "{requests:?}"
        );
    }
}

#[tokio::test]
async fn old_server_is_asked_once_for_the_positions_of_followed_audiences() {
    let server = ScriptedServer::start().await;
    let client = start(&server);
    let mut broadcasts = client.broadcasts();
    let _notifications = client.notifications();
    let mut asked = Vec::new();
    for number in 1..=3 {
        let mut served = server.accept().await;
        // The client asks for both in one frame or in two.
        loop {
            for request in serve_as_old(&mut served, 0).await {
                let names = ["user", "everyone"].into_iter();
                asked.extend(names.filter(|name| request.get(name).is_some()));
            }
            if asked.len() >= 2 {
                break;
            }
        }
        served
            .send(json!({"type": "Broadcast", "message": number, "eventId": format!("b{number}")}))
            .await;
        let push = in_time("a push arrived", broadcasts.next_event()).await;
        let herald_client::Next::Message(push) = push.expect("a push") else {
            panic!("a loss");
        };
        assert_eq!(push.message::<u32>().expect("a number"), number);
    }
    asked.sort_unstable();
    assert_eq!(asked, ["everyone", "user"]);
}
