//! A function URL on a port of its own, with a closure as its function and a record of its events.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use axum::http::Method;
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use herald_local::{
    function_urls::FunctionUrlServer,
    iam::Roles,
    lambda::{Invocation, Invoke},
    template::{Settings, Stack},
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::authentication::harness::{Answer, send};

type Script = Box<dyn Fn(Value) -> BoxFuture<'static, Invocation> + Send + Sync>;

/// A function that is a closure, and its events so far.
struct Scripted {
    script: Script,
    events: Mutex<Vec<Value>>,
}

impl Invoke for Scripted {
    fn invoke<'a>(&'a self, function: &'a str, payload: Bytes) -> BoxFuture<'a, Invocation> {
        assert_eq!(function, "Door");
        let event: Value = serde_json::from_slice(&payload).unwrap();
        self.events.lock().unwrap().push(event.clone());
        (self.script)(event)
    }
}

/// A running function URL.
pub struct TestUrl {
    /// Its address without the slash at the end.
    pub address: String,
    pub stack: Stack,
    function: Arc<Scripted>,
    server: JoinHandle<()>,
}

impl TestUrl {
    /// Starts the URL of a function with these properties, as YAML in one line.
    pub async fn start<F>(
        properties: &str,
        script: impl Fn(Value) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Invocation> + Send + 'static,
    {
        let stack = stack(properties);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let function = Arc::new(Scripted {
            script: Box::new(move |event| script(event).boxed()),
            events: Mutex::default(),
        });
        let roles = Arc::new(Roles::new(&stack, &[]).unwrap());
        let url = stack.function_urls[0].clone();
        let server = FunctionUrlServer::new(url, &stack.account_id, roles, function.clone());
        Self {
            address,
            stack,
            function,
            server: tokio::spawn(server.serve(listener)),
        }
    }

    /// Starts a public URL whose function returns `result`.
    pub async fn returning(result: Value) -> Self {
        Self::start(PUBLIC, move |_| {
            std::future::ready(crate::gateway::harness::returned(result.clone()))
        })
        .await
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        send(method, &format!("{}{path}", self.address), headers, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    /// Returns the events so far.
    pub fn events(&self) -> Vec<Value> {
        self.function.events.lock().unwrap().clone()
    }

    /// Returns the only event so far.
    pub fn event(&self) -> Value {
        let events = self.events();
        assert_eq!(events.len(), 1, "{events:?}");
        events[0].clone()
    }
}

impl Drop for TestUrl {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The properties of a function with a public URL.
pub const PUBLIC: &str = "FunctionUrlConfig: { AuthType: NONE }";

/// Returns the stack of a function with these properties. Another function, `Caller`, may invoke it by
/// its URL.
fn stack(properties: &str) -> Stack {
    let template = format!(
        "
Resources:
  Api:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      RouteSelectionExpression: $request.body.action
      Routes: {{ $connect: {{ FunctionArn: !GetAtt Stranger.Arn }} }}
  Stranger: {{ Type: AWS::Serverless::Function, Properties: {{}} }}
  Caller:
    Type: AWS::Serverless::Function
    Properties:
      Policies:
        - Statement:
            - Effect: Allow
              Action: [lambda:InvokeFunctionUrl, lambda:InvokeFunction]
              Resource: !GetAtt Door.Arn
  Door:
    Type: AWS::Serverless::Function
    Properties: {{ {properties} }}
"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("template.yaml");
    fs::write(&file, template).unwrap();
    let settings = Settings {
        remote_functions: true,
        ..Settings::new("http://127.0.0.1:3030")
    };
    Stack::read(&file, &settings).unwrap_or_else(|error| panic!("{error}"))
}
