//! A stack for each test, or the test's turn on the deployed one ([`crate::target`]), with its clients
//! and the AWS services around it.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use futures_util::{SinkExt, StreamExt};
use herald_local::{
    Authentication, Config, Functions, RunningStack,
    faults::Faults,
    issuer::TokenRequest,
    sqs::{MessageView, QueueId},
};
use herald_shared::{
    audience::{Audience, YOUNG},
    ids::{ConnectionId, EntityId, UserId},
    store::{
        Connection, ConnectionStore, ConnectionTable, Listener, Subscribed, Subscription,
        seed::{self, RowKey},
    },
};
use herald_testkit::{patience, sdk_config};
use serde_json::{Value, json};

use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        http::HeaderMap,
        protocol::frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

pub use herald_testkit::{repository, until_async as until};

use crate::{
    asyncapi::check_received,
    queues::Queues,
    target::{self, Addresses, Turn},
};

/// All permissions.
pub const EVERYTHING: &str = r#"{"**":["subscribe","publish","history","presence","broadcast"]}"#;

/// Returns a frame without the position that an audience's log gives it.
pub fn without_position(mut frame: Value) -> Value {
    let fields = frame.as_object_mut().unwrap();
    for name in ["epoch", "offset", "top"] {
        fields.remove(name);
    }
    frame
}

/// The beginning of the ids of connections that were left behind.
pub const LEFT_BEHIND: &str = "PcQeDRO";

/// A running stack.
pub struct TestStack {
    addresses: Addresses,
    aws: SdkConfig,
    place: Place,
}

enum Place {
    Local(Box<RunningStack>),
    Deployed(#[expect(dead_code, reason = "the guard is held until the test ends")] Turn),
}

impl TestStack {
    /// Starts the stack of the repository's own template, or takes the one in `HERALD_TARGET`.
    pub async fn start() -> Self {
        match target::deployment() {
            None => Self::run(config()).await,
            Some(addresses) => {
                let aws = target::aws().await;
                let turn = Turn::begin(&addresses, &aws).await;
                Self {
                    addresses,
                    aws,
                    place: Place::Deployed(turn),
                }
            }
        }
    }

    /// Starts a stack whose notifier posts to another endpoint.
    pub async fn start_posting_to(endpoint: &str) -> Self {
        let mut config = config();
        config.environment.insert(
            "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI".to_owned(),
            endpoint.to_owned(),
        );
        Self::run(config).await
    }

    /// Starts a stack that keeps no log.
    pub async fn start_without_history() -> Self {
        Self::start_with_parameters(&[("History", "{}")]).await
    }

    /// Starts a stack with injected faults.
    pub async fn start_with_faults(faults: Faults) -> Self {
        let config = Config { faults, ..config() };
        Self::run(config).await
    }

    /// Starts a stack with users, whose tokens are signed with the stack's own secret.
    pub async fn start_with_users() -> Self {
        let config = Config {
            authentication: Authentication::Secret,
            ..config()
        };
        Self::run(config).await
    }

    /// Starts a stack with other parameters.
    pub async fn start_with_parameters(changed: &[(&str, &str)]) -> Self {
        Self::run(with_parameters(config(), changed)).await
    }

    /// Starts a stack with users and other parameters.
    pub async fn start_with_users_and_parameters(changed: &[(&str, &str)]) -> Self {
        let config = Config {
            authentication: Authentication::Secret,
            ..config()
        };
        Self::run(with_parameters(config, changed)).await
    }

    /// Starts a stack with another configuration.
    ///
    /// # Errors
    ///
    /// Returns an error if the stack does not start.
    pub async fn try_start_with(change: impl FnOnce(&mut Config)) -> anyhow::Result<Self> {
        let mut config = config();
        change(&mut config);
        Self::try_run(config).await
    }

    async fn run(config: Config) -> Self {
        Self::try_run(config).await.unwrap()
    }

    async fn try_run(config: Config) -> anyhow::Result<Self> {
        assert!(target::deployment().is_none(), "{ONLY_LOCAL}");
        let running = herald_testkit::start(config).await?;
        let aws = sdk_config(&running.addresses().endpoint);
        let local = running.addresses();
        let addresses = Addresses {
            web_socket: local.web_socket.clone(),
            table: local.tables["Table"].clone(),
            bus: None,
            queues: local.queues.clone(),
        };
        Ok(Self {
            addresses,
            aws,
            place: Place::Local(Box::new(running)),
        })
    }

    /// Ends a local stack and every process it started. Fails if a function made a call that the
    /// template does not permit.
    pub async fn stop(self) {
        if let Some(local) = self.local() {
            let refused = local.refused().borrow().clone();
            assert_eq!(refused, None, "a function lacks a permission");
        }
        self.stop_after_refusals().await;
    }

    /// Ends a local stack in which calls were meant to be refused.
    pub async fn stop_after_refusals(self) {
        if let Place::Local(running) = self.place {
            running.shutdown().await;
        }
    }

    /// Connects a new client.
    pub async fn client(&self) -> Client {
        Client::connect(&self.addresses.web_socket).await
    }

    /// Connects a new client of a user with all permissions.
    pub async fn client_of(&self, user: &str) -> Client {
        self.client_with(&self.token(user, EVERYTHING)).await
    }

    /// Connects a new client with a token.
    pub async fn client_with(&self, token: &str) -> Client {
        let bearer = format!("Bearer {token}");
        let (client, _) = Client::connect_with(&self.web_socket(), "authorization", &bearer).await;
        client
    }

    /// Returns a token of the stack's own for a user with these permissions.
    pub fn token(&self, user: &str, permissions: &str) -> String {
        self.mint(user, Some(serde_json::from_str(permissions).unwrap()))
    }

    /// Connects a new client of a user with all permissions, and with what others see of the user.
    pub async fn client_with_info(&self, user: &str, info: Value) -> Client {
        let request = TokenRequest {
            user_id: user.to_owned(),
            permissions: Some(serde_json::from_str(EVERYTHING).unwrap()),
            info: Some(info),
            ..TokenRequest::default()
        };
        let token = self.running().mint(&request).unwrap().token;
        self.client_with(&token).await
    }

    /// Returns a token without the claim `herald`.
    pub fn token_without_permissions(&self, user: &str) -> String {
        self.mint(user, None)
    }

    fn mint(&self, user: &str, permissions: Option<Value>) -> String {
        let request = TokenRequest {
            user_id: user.to_owned(),
            permissions,
            ..TokenRequest::default()
        };
        self.running().mint(&request).unwrap().token
    }

    /// Returns the URL for clients.
    pub fn web_socket(&self) -> String {
        self.addresses.web_socket.clone()
    }

    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Returns the number of open sockets of the gateway.
    pub fn open_connections(&self) -> usize {
        self.running().gateway().open_connections().len()
    }

    /// Puts one event on the bus.
    pub async fn put_event(&self, detail_type: &str, detail: Value) {
        self.put_events(vec![(detail_type.to_owned(), detail)])
            .await;
    }

    /// Puts up to ten events on the bus.
    pub async fn put_events(&self, events: Vec<(String, Value)>) {
        let entries = events.into_iter().map(|(detail_type, detail)| {
            PutEventsRequestEntry::builder()
                .source("test")
                .detail_type(detail_type)
                .detail(detail.to_string())
                .set_event_bus_name(self.addresses.bus.clone())
                .build()
        });
        self.put_entries(entries.collect()).await;
    }

    pub async fn put_entries(&self, entries: Vec<PutEventsRequestEntry>) {
        let events = aws_sdk_eventbridge::Client::new(&self.aws);
        let put = events
            .put_events()
            .set_entries(Some(entries))
            .send()
            .await
            .unwrap();
        assert_eq!(put.failed_entry_count(), 0, "{put:?}");
    }

    /// Returns all rows of the table in order, without those of the charges, which expire.
    pub async fn rows(&self) -> Vec<RowKey> {
        let items = self.items().await;
        let mut rows: Vec<_> = items.iter().filter_map(RowKey::of).collect();
        assert_eq!(rows.len(), items.len(), "{items:?}");
        rows.sort();
        rows
    }

    /// Stores subscriptions of these connections to an entity, without connecting them.
    pub async fn seed(&self, entity: &str, connections: impl Iterator<Item = String>) {
        let table = &self.addresses.table;
        let client = aws_sdk_dynamodb::Client::new(&self.aws);
        let rows: Vec<_> = connections
            .map(|id| subscription_row(entity, &id))
            .collect();
        for batch in rows.chunks(25) {
            let written = client
                .batch_write_item()
                .request_items(table, batch.to_vec());
            let unprocessed = written.send().await.unwrap().unprocessed_items;
            assert!(unprocessed.unwrap_or_default().is_empty());
        }
    }

    /// Stores up to ten connections of a user as if their `$disconnect` had been lost a minute ago.
    pub async fn leave_connections_of(&self, user: &str, connections: usize) {
        let client = aws_sdk_dynamodb::Client::new(&self.aws);
        let store = ConnectionTable::new(client, &self.addresses.table);
        for number in 0..connections {
            let connection = Connection {
                id: ConnectionId::new(format!("{LEFT_BEHIND}{number}gIEm4LQ=")).unwrap(),
                connected_at: SystemTime::now() - Duration::from_secs(60),
                ip_address: None,
                user_agent: None,
                user: Some(UserId::new(user).unwrap()),
                token_expires_at: None,
            };
            store.connect(&connection).await.unwrap();
        }
    }

    /// Stores the rows of a subscribed client whose `$disconnect` was lost.
    pub async fn leave_behind(&self, connection: &str, entity: &str, connected_at: SystemTime) {
        let client = aws_sdk_dynamodb::Client::new(&self.aws);
        let store = ConnectionTable::new(client, &self.addresses.table);
        let connection = Connection {
            id: ConnectionId::new(connection).unwrap(),
            connected_at,
            ip_address: None,
            user_agent: None,
            user: None,
            token_expires_at: None,
        };
        store.connect(&connection).await.unwrap();
        let subscription = Subscription {
            connection: &connection.id,
            connected_at,
            token_expires_at: None,
            entities: &[EntityId::new(entity).unwrap()],
            watched: &[],
            user: None,
            info: None,
        };
        let subscribed = store.subscribe(subscription, 1).await.unwrap();
        assert_eq!(subscribed, [Subscribed::Stored]);
    }

    /// Returns the messages on a queue, by its logical id.
    pub fn messages(&self, queue: &str) -> Vec<MessageView> {
        let queues = self.running().queues();
        queues.messages(self.queue(queue))
    }

    /// Returns a queue by its logical id.
    pub fn queue(&self, logical_id: &str) -> QueueId {
        let url = &self.addresses.queues[logical_id];
        self.running().queues().with_url(url).unwrap()
    }

    /// Returns the connections of a user in the table.
    pub async fn connections_of(&self, user: &str) -> Vec<ConnectionId> {
        let user = Audience::User(UserId::new(user).unwrap());
        let rows = self.rows().await.into_iter();
        rows.filter_map(|row| row.listener_of(&user)).collect()
    }

    /// Returns all items of the table without those of the charges.
    pub async fn items(&self) -> Vec<std::collections::HashMap<String, AttributeValue>> {
        let table = &self.addresses.table;
        let scan = aws_sdk_dynamodb::Client::new(&self.aws)
            .scan()
            .table_name(table);
        let pages = scan.into_paginator().items().send();
        let mut items = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
        items.retain(|item| !matches!(RowKey::of(item), Some(RowKey::Charges(_))));
        items
    }

    /// Returns the notification queue and its dead letters.
    pub fn notifications(&self) -> Queues {
        Queues::new(&self.aws, &self.addresses)
    }

    /// Returns the configuration of AWS SDK clients for this stack.
    pub fn aws(&self) -> &SdkConfig {
        &self.aws
    }

    /// Returns the local stack with all its handles. A test that needs it is ignored with the feature
    /// `deployed`.
    pub fn running(&self) -> &RunningStack {
        self.local().expect(ONLY_LOCAL)
    }

    /// Returns the local stack. `None` if the stack is deployed.
    pub fn local(&self) -> Option<&RunningStack> {
        match &self.place {
            Place::Local(running) => Some(running),
            Place::Deployed(_) => None,
        }
    }
}

const ONLY_LOCAL: &str =
    "this test needs the local stack: with another HERALD_TARGET, build with `--features deployed`";

/// Returns the row of a subscription of a connection that is a minute old.
fn subscription_row(entity: &str, connection: &str) -> WriteRequest {
    let row = seed::listener_row(Listener {
        connection: &ConnectionId::new(connection).unwrap(),
        entity: &EntityId::new(entity).unwrap(),
        change: 1,
        connected_at: old(),
        token_expires_at: None,
        watches: false,
    });
    let put = PutRequest::builder().set_item(Some(row)).build().unwrap();
    WriteRequest::builder().put_request(put).build()
}

/// Returns the time at which a connection was opened that is no longer young.
pub fn old() -> SystemTime {
    SystemTime::now() - 2 * YOUNG
}

/// A client with one socket.
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    pub async fn connect(url: &str) -> Self {
        let (socket, _) = connect_async(url).await.unwrap();
        Self { socket }
    }

    /// Connects with a header and returns the answer's headers as well.
    pub async fn connect_with(url: &str, name: &'static str, value: &str) -> (Self, HeaderMap) {
        Self::try_connect_with(url, name, value).await.unwrap()
    }

    /// Tries to connect with a header.
    pub async fn try_connect_with(
        url: &str,
        name: &'static str,
        value: &str,
    ) -> Result<(Self, HeaderMap), tungstenite::Error> {
        let mut request = url.into_client_request()?;
        request.headers_mut().insert(name, value.parse().unwrap());
        let (socket, response) = connect_async(request).await?;
        Ok((Self { socket }, response.headers().clone()))
    }

    pub async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Sends a text that is longer than the limit of one frame.
    pub async fn send_in_frames(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let chunks = bytes.chunks(32 * 1024).collect::<Vec<_>>();
        for (index, chunk) in chunks.iter().enumerate() {
            let kind = if index == 0 {
                Data::Text
            } else {
                Data::Continue
            };
            let last = index + 1 == chunks.len();
            let frame = Frame::message(chunk.to_vec(), OpCode::Data(kind), last);
            self.socket.feed(Message::Frame(frame)).await.unwrap();
        }
        self.socket.flush().await.unwrap();
    }

    /// Returns the next frame's text.
    pub async fn text(&mut self) -> String {
        let next = tokio::time::timeout(patience(), self.socket.next());
        match next.await.expect("a frame in time") {
            Some(Ok(Message::Text(text))) => {
                check_received(text.as_str());
                text.as_str().to_owned()
            }
            other => panic!("not a text: {other:?}"),
        }
    }

    /// Returns the next frame.
    pub async fn frame(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// Sends a request and returns the next frame.
    pub async fn ask(&mut self, request: Value) -> Value {
        self.send_text(&request.to_string()).await;
        self.frame().await
    }

    /// Subscribes to entities with one frame, and again if the error is retryable.
    pub async fn subscribe_to_all(&mut self, entities: impl Iterator<Item = String>) {
        let entities: Value = entities.map(|entity| (entity, json!({}))).collect();
        let request = json!({"action": "subscribe", "entities": entities});
        loop {
            let reply = self.ask(request.clone()).await;
            if reply["type"] == "ack" {
                let results = reply["entities"].as_object().unwrap();
                assert!(
                    results.values().all(|result| result.get("error").is_none()),
                    "{reply}"
                );
                return;
            }
            assert_eq!(reply["retryable"], true, "{reply}");
        }
    }

    /// Subscribes to an entity.
    pub async fn subscribe(&mut self, entity: &str) {
        let ack = self
            .ask(json!({"action": "subscribe", "entityId": entity}))
            .await;
        assert_eq!(
            (&ack["type"], &ack["entityId"]),
            (&json!("ack"), &json!(entity)),
            "{ack}"
        );
    }

    /// Waits until the server has closed the socket.
    pub async fn closed(&mut self) {
        let rest = async {
            while let Some(Ok(message)) = self.socket.next().await {
                assert!(message.is_close(), "{message:?}");
            }
        };
        tokio::time::timeout(patience(), rest)
            .await
            .expect("a close in time");
    }

    pub async fn close(mut self) {
        self.socket.close(None).await.unwrap();
        while let Some(Ok(_)) = self.socket.next().await {}
    }
}

fn parameters(values: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    values.iter().map(owned).collect()
}

fn with_parameters(mut config: Config, changed: &[(&str, &str)]) -> Config {
    config.parameters.extend(parameters(changed));
    config
}

/// Returns a configuration with the template and the functions built by `cargo test`.
fn config() -> Config {
    let config = Config::new(template(), Functions::Prebuilt(built()));
    // Only tests of limits set lower ones.
    with_parameters(config, &[("MessagesPerSecond", "10000")])
}

/// Returns the repository's own template, or the one in `HERALD_TEMPLATE`.
fn template() -> PathBuf {
    let named = env::var_os("HERALD_TEMPLATE").map(PathBuf::from);
    named.unwrap_or_else(herald_testkit::template)
}

/// Returns the folder of the function binaries.
fn built() -> PathBuf {
    let connect = Path::new(env!("CARGO_BIN_EXE_connect"));
    connect.parent().unwrap().to_owned()
}
