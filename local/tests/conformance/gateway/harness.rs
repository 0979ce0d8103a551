//! A gateway on a port of its own, with closures as functions and a record of every event.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use aws_sdk_apigatewaymanagement::{Client, primitives::Blob};
use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, Request},
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture};
use herald_local::{
    activity::Activity,
    gateway::{Gateway, Limits},
    lambda::{FunctionError, Invocation, Invoke},
    template::{Authorizer, Route, WebSocketApi},
};
use herald_testkit::sdk_config;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        self, Message, client::IntoClientRequest, handshake::client::Response, protocol::CloseFrame,
    },
};

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Script = Box<dyn Fn(Value) -> BoxFuture<'static, Invocation> + Send + Sync>;

/// Functions by name, each a closure from event to result, and the events so far.
#[derive(Default)]
struct Scripts {
    scripts: HashMap<String, Script>,
    events: Mutex<Vec<(String, Value)>>,
}

impl Invoke for Scripts {
    fn invoke<'a>(&'a self, function: &'a str, payload: Bytes) -> BoxFuture<'a, Invocation> {
        let event: Value = serde_json::from_slice(&payload).unwrap();
        self.events
            .lock()
            .unwrap()
            .push((function.to_owned(), event.clone()));
        (self.scripts[function])(event)
    }
}

/// A builder of a gateway with its routes.
pub struct Builder {
    api: WebSocketApi,
    limits: Limits,
    scripts: HashMap<String, Script>,
}

impl Builder {
    /// Adds a one-way route: the result of its function `script` is dropped.
    pub fn route<F>(self, key: &str, script: impl Fn(Value) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Invocation> + Send + 'static,
    {
        self.add(key, false, Duration::from_secs(29), script)
    }

    /// Adds a two-way route: the body of the result is the reply.
    pub fn two_way<F>(self, key: &str, script: impl Fn(Value) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Invocation> + Send + 'static,
    {
        self.add(key, true, Duration::from_secs(29), script)
    }

    /// Adds a route with an integration timeout.
    pub fn add<F>(
        mut self,
        key: &str,
        two_way: bool,
        integration_timeout: Duration,
        script: impl Fn(Value) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Invocation> + Send + 'static,
    {
        self.api.routes.push(Route {
            key: key.to_owned(),
            function: key.to_owned(),
            integration_timeout,
            two_way,
        });
        self.scripts
            .insert(key.to_owned(), Box::new(move |event| script(event).boxed()));
        self
    }

    /// Adds an authorizer.
    pub fn authorizer(
        self,
        identity_sources: &[&str],
        script: impl Fn(Value) -> Invocation + Send + Sync + 'static,
    ) -> Self {
        self.slow_authorizer(identity_sources, move |event| {
            std::future::ready(script(event))
        })
    }

    /// Adds an asynchronous authorizer.
    pub fn slow_authorizer<F>(
        mut self,
        identity_sources: &[&str],
        script: impl Fn(Value) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Invocation> + Send + 'static,
    {
        self.api.authorizer = Some(Authorizer {
            function: "authorizer".to_owned(),
            identity_sources: identity_sources
                .iter()
                .map(|&source| source.to_owned())
                .collect(),
        });
        let script = move |event| script(event).boxed();
        self.scripts
            .insert("authorizer".to_owned(), Box::new(script));
        self
    }

    pub fn api(mut self, change: impl FnOnce(&mut WebSocketApi)) -> Self {
        change(&mut self.api);
        self
    }

    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    pub async fn start(self) -> TestGateway {
        let scripts = Arc::new(Scripts {
            scripts: self.scripts,
            events: Mutex::default(),
        });
        let gateway = Gateway::new(
            self.api,
            "us-east-1",
            "123456789012",
            self.limits,
            scripts.clone(),
            Activity::default(),
        )
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let router = Router::new().fallback({
            let (gateway, requests) = (gateway.clone(), requests.clone());
            async move |ConnectInfo(client): ConnectInfo<SocketAddr>, request: Request| {
                requests.fetch_add(1, SeqCst);
                gateway.handle(client, request).await
            }
        });
        tokio::spawn(async move {
            axum::serve(
                listener,
                router.into_make_service_with_connect_info::<SocketAddr>(),
            )
            .await
        });
        TestGateway {
            address,
            gateway,
            scripts,
            requests,
        }
    }
}

/// A running gateway with the stage `prod`.
pub struct TestGateway {
    pub address: SocketAddr,
    pub gateway: Arc<Gateway>,
    scripts: Arc<Scripts>,
    requests: Arc<AtomicUsize>,
}

impl TestGateway {
    pub fn builder() -> Builder {
        Builder {
            api: WebSocketApi {
                logical_id: "WebSocketApi".to_owned(),
                api_id: "a1b2c3d4e5".to_owned(),
                stage: "prod".to_owned(),
                route_selection_expression: "$request.body.action".to_owned(),
                routes: Vec::new(),
                authorizer: None,
                stage_variables: Default::default(),
                throttle: None,
            },
            limits: Limits::default(),
            scripts: HashMap::new(),
        }
    }

    pub fn url(&self) -> String {
        format!("ws://{}/prod", self.address)
    }

    /// Opens a connection.
    pub async fn connect(&self) -> Socket {
        self.try_connect(&self.url(), &[]).await.unwrap().0
    }

    /// Opens a connection and returns its id as well.
    pub async fn connect_known(&self) -> (Socket, String) {
        let before: Vec<_> = self.connection_ids();
        let socket = self.connect().await;
        let id = self
            .connection_ids()
            .into_iter()
            .find(|id| !before.contains(id))
            .expect("the gateway knows the new connection");
        (socket, id)
    }

    fn connection_ids(&self) -> Vec<String> {
        let open = self.gateway.open_connections();
        open.into_iter().map(|open| open.connection_id).collect()
    }

    /// Tries to open a connection with additional headers.
    pub async fn try_connect(
        &self,
        url: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(Socket, Response), tungstenite::Error> {
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        connect_async(request).await
    }

    /// Returns the status of an upgrade.
    pub async fn status(&self, url: &str) -> u16 {
        match self.try_connect(url, &[]).await {
            Ok(_) => 101,
            Err(tungstenite::Error::Http(response)) => response.status().as_u16(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Returns an SDK client of the management API.
    pub fn management(&self) -> Client {
        self.management_at("/prod")
    }

    pub fn management_at(&self, path: &str) -> Client {
        Client::new(&sdk_config(&format!("http://{}{path}", self.address)))
    }

    /// Posts a text to a connection.
    pub async fn post(&self, connection_id: &str, text: &str) {
        self.management()
            .post_to_connection()
            .connection_id(connection_id)
            .data(Blob::new(text))
            .send()
            .await
            .unwrap();
    }

    /// Returns the number of HTTP requests so far.
    pub fn requests(&self) -> usize {
        self.requests.load(SeqCst)
    }

    /// Returns the events of a function so far.
    pub fn events(&self, function: &str) -> Vec<Value> {
        let events = self.scripts.events.lock().unwrap();
        let of_function = events.iter().filter(|(name, _)| name == function);
        of_function.map(|(_, event)| event.clone()).collect()
    }
}

/// Returns a result with a status.
pub async fn status(status: u16) -> Invocation {
    returned(json!({"statusCode": status}))
}

/// Returns the invocation of a function that returned `result`.
pub fn returned(result: Value) -> Invocation {
    Invocation::Returned(Bytes::from(result.to_string()))
}

/// Returns the invocation of a function that failed with this message.
pub fn failed(message: &str) -> Invocation {
    Invocation::Failed(FunctionError {
        error_type: "&alloc::boxed::Box<dyn core::error::Error>".to_owned(),
        error_message: message.to_owned(),
    })
}

/// Returns a function that sends its events to the test.
pub fn reporting() -> (
    impl Fn(Value) -> std::future::Ready<Invocation> + Send + Sync + 'static,
    mpsc::UnboundedReceiver<Value>,
) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let script = move |event| {
        sender.send(event).unwrap();
        std::future::ready(returned(json!({"statusCode": 200})))
    };
    (script, receiver)
}

/// Returns the next text frame.
pub async fn next_text(socket: &mut Socket) -> String {
    match socket.next().await {
        Some(Ok(Message::Text(text))) => text.as_str().to_owned(),
        other => panic!("expected a text, got {other:?}"),
    }
}

/// Reads until the server closes the connection. Returns the close code and reason.
pub async fn closed(socket: &mut Socket) -> (u16, String) {
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => {
                return (code.into(), reason.as_str().to_owned());
            }
            Some(Ok(_)) => {}
            other => panic!("expected a close frame, got {other:?}"),
        }
    }
}
