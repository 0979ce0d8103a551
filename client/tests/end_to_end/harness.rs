//! A local stack for each test, and helpers that wait.

use std::{net::SocketAddr, time::Duration};

use aws_sdk_eventbridge::{Client as EventBridge, types::PutEventsRequestEntry};
use herald_client::{Client, ConnectionState, EntityId, Options};
use herald_local::{Authentication, Config, Functions, RunningStack, gateway::Limits};
use herald_testkit::{sdk_config, template};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::SemaphorePermit,
    time::sleep,
};

pub use herald_testkit::{in_time, until};

/// The parameter `History` of a stack that keeps a log of every audience.
const HISTORY: &str = r#"{"**":{"messages":1000,"seconds":600},"$user":{"messages":1000,"seconds":600},"$everyone":{"messages":1000,"seconds":600}}"#;

/// A running stack.
pub struct TestStack {
    running: RunningStack,
    events: EventBridge,
    _turn: SemaphorePermit<'static>,
}

impl TestStack {
    /// Starts the stack of the repository's template, without authentication.
    pub async fn start() -> Self {
        Self::start_with(Authentication::Open, Limits::default()).await
    }

    /// Starts the stack with a log of every audience, without authentication.
    pub async fn start_with_history() -> Self {
        Self::start_with_history_and(Authentication::Open).await
    }

    /// Starts the stack with a log of every audience and this authentication.
    pub async fn start_with_history_and(authentication: Authentication) -> Self {
        let turn = herald_testkit::turn().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self::run(turn, listener, authentication, Limits::default(), HISTORY).await
    }

    /// Starts the stack with presence in every entity, announced each second, and tokens.
    pub async fn start_with_presence() -> Self {
        let turn = herald_testkit::turn().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let presence = ("Presence", r#"{"**":{"interval":1}}"#);
        Self::run_with(
            turn,
            listener,
            Authentication::Secret,
            Limits::default(),
            &[presence],
        )
        .await
    }

    /// Starts the stack with this authentication and these limits of the gateway.
    pub async fn start_with(authentication: Authentication, limits: Limits) -> Self {
        let turn = herald_testkit::turn().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self::run(turn, listener, authentication, limits, "{}").await
    }

    /// Stops the stack, and starts another at the same address with an empty table.
    pub async fn restart(self) -> Self {
        let address = self.address();
        self.running.shutdown().await;
        // The old listener may close a moment later.
        let listener = in_time("the port is free", async {
            loop {
                match TcpListener::bind(address).await {
                    Ok(listener) => return listener,
                    Err(_) => sleep(Duration::from_millis(10)).await,
                }
            }
        })
        .await;
        Self::run(
            self._turn,
            listener,
            Authentication::Open,
            Limits::default(),
            "{}",
        )
        .await
    }

    async fn run(
        turn: SemaphorePermit<'static>,
        listener: TcpListener,
        authentication: Authentication,
        limits: Limits,
        history: &str,
    ) -> Self {
        let history = ("History", history);
        Self::run_with(turn, listener, authentication, limits, &[history]).await
    }

    async fn run_with(
        turn: SemaphorePermit<'static>,
        listener: TcpListener,
        authentication: Authentication,
        limits: Limits,
        parameters: &[(&str, &str)],
    ) -> Self {
        // High enough that no test reaches it.
        let rate = ("MessagesPerSecond", "10000");
        let parameters = parameters.iter().copied().chain([rate]);
        let config = Config {
            parameters: parameters
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            authentication,
            limits,
            ..Config::new(template(), Functions::Build { release: false })
        };
        let running = RunningStack::start(listener, config)
            .await
            .expect("a stack");
        let events = EventBridge::new(&sdk_config(&running.addresses().endpoint));
        Self {
            running,
            events,
            _turn: turn,
        }
    }

    /// Returns the address for clients.
    pub fn web_socket(&self) -> &str {
        &self.running.addresses().web_socket
    }

    /// Returns the address of the stack's only port.
    pub fn address(&self) -> SocketAddr {
        let endpoint = &self.running.addresses().endpoint;
        let address = endpoint.strip_prefix("http://").expect("an address");
        address.parse().expect("an address")
    }

    /// Returns a connected client.
    pub async fn client(&self) -> Client {
        connect(self.web_socket(), Options::new()).await
    }

    /// Returns options whose callback mints a token of a user at every call, with these permissions and this
    /// lifetime in seconds.
    pub fn tokens(&self, user: &str, permissions: Value, seconds: i64) -> Options {
        let server = self.address();
        let request =
            json!({"userId": user, "permissions": permissions, "expiresIn": seconds}).to_string();
        Options::new().token(move || mint(server, request.clone()))
    }

    /// Returns the running stack, to inject faults.
    pub fn running(&self) -> &RunningStack {
        &self.running
    }

    /// Returns the number of connections that the gateway holds.
    pub fn open_connections(&self) -> usize {
        self.running.gateway().open_connections().len()
    }

    /// Puts one event on the bus.
    pub async fn put_event(&self, detail_type: &str, detail: Value) {
        self.put_events([(detail_type, detail)]).await;
    }

    /// Puts up to ten events on the bus.
    pub async fn put_events<'a>(&self, events: impl IntoIterator<Item = (&'a str, Value)>) {
        let entry = |(detail_type, detail): (&str, Value)| {
            PutEventsRequestEntry::builder()
                .source("test")
                .detail_type(detail_type)
                .detail(detail.to_string())
                .build()
        };
        let entries = events.into_iter().map(entry).collect();
        let put = self
            .events
            .put_events()
            .set_entries(Some(entries))
            .send()
            .await;
        assert_eq!(put.expect("an answer").failed_entry_count(), 0);
    }

    /// Puts an event about an entity on the bus.
    pub async fn update(&self, entity: &str, message: impl Into<Value>) {
        let message = message.into();
        self.put_event(
            "Entity Updated",
            json!({"entityId": entity, "message": message}),
        )
        .await;
    }

    /// Stops the stack and every process that it started.
    pub async fn stop(self) {
        self.running.shutdown().await;
    }
}

async fn mint(server: SocketAddr, request: String) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(server).await?;
    let head = format!(
        "POST /auth/token HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        request.len()
    );
    stream
        .write_all(format!("{head}{request}").as_bytes())
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (_, body) = answer.split_once("\r\n\r\n").expect("an answer");
    let minted: Value = serde_json::from_str(body)?;
    Ok(minted["token"].as_str().expect("a token").to_owned())
}

/// Connects a client.
pub async fn connect(address: &str, options: Options) -> Client {
    in_time("connected", Client::connect(address, options))
        .await
        .expect("a connection")
}

pub fn entity(id: impl Into<String>) -> EntityId {
    EntityId::new(id).expect("an id")
}

/// Waits until the client has stopped, and returns its last state.
pub async fn stopped(client: &Client) -> ConnectionState {
    let mut states = client.states();
    let stopped = states.wait_for(|state| matches!(state, ConnectionState::Stopped(_)));
    in_time("the client stopped", stopped)
        .await
        .expect("its last state")
        .clone()
}
