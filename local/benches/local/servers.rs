//! The servers that this program can run as: the gateway alone, and a bare echo server.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::bail;
use axum::{
    Router,
    extract::{ConnectInfo, Request},
    serve::ListenerExt,
};
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt, future::BoxFuture};
use herald_local::{
    activity::Activity,
    gateway::{Gateway, Limits},
    lambda::{Invocation, Invoke},
    template::{Route, WebSocketApi},
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{accept_async_with_config, tungstenite::Message};

use crate::client::buffers;

/// The gateway with one two-way route and a function in this process.
pub(crate) const GATEWAY: &str = "gateway";

/// A WebSocket server that only echoes.
pub(crate) const BARE: &str = "bare";

const STAGE: &str = "bench";

/// Prints the server's address on standard output, and serves until standard input ends.
pub(crate) async fn serve(kind: &str) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/{STAGE}", listener.local_addr()?);
    println!("{}", json!({ "webSocket": url }));
    let serving = match kind {
        GATEWAY => serve_gateway(listener).boxed(),
        BARE => serve_bare(listener).boxed(),
        _ => bail!("unknown server {kind}; the servers are {GATEWAY} and {BARE}"),
    };
    let mut stdin = tokio::io::stdin();
    tokio::select! {
        served = serving => served,
        _ = stdin.read_u8() => Ok(()),
    }
}

async fn serve_gateway(listener: TcpListener) -> anyhow::Result<()> {
    let gateway = Gateway::new(
        api(),
        "us-east-1",
        "123456789012",
        Limits::default(),
        Arc::new(Echo),
        Activity::default(),
    )?;
    let router = Router::new().fallback(
        async move |ConnectInfo(client): ConnectInfo<SocketAddr>, request: Request| {
            gateway.handle(client, request).await
        },
    );
    let listener = listener.tap_io(|stream| {
        stream.set_nodelay(true).ok();
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, service).await?)
}

async fn serve_bare(listener: TcpListener) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(echo(stream));
    }
}

async fn echo(stream: TcpStream) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut socket = accept_async_with_config(stream, Some(buffers())).await?;
    while let Some(message) = socket.next().await {
        match message? {
            Message::Text(text) => socket.send(Message::Text(text)).await?,
            _ => return Ok(()),
        }
    }
    Ok(())
}

fn api() -> WebSocketApi {
    WebSocketApi {
        logical_id: "WebSocketApi".to_owned(),
        api_id: "a1b2c3d4e5".to_owned(),
        stage: STAGE.to_owned(),
        route_selection_expression: "$request.body.action".to_owned(),
        routes: vec![Route {
            key: "$default".to_owned(),
            function: "Echo".to_owned(),
            integration_timeout: Duration::from_secs(29),
            two_way: true,
        }],
        authorizer: None,
        stage_variables: [].into(),
        throttle: None,
    }
}

/// A function that returns its event's body and parses nothing else.
struct Echo;

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    body: &'a RawValue,
}

impl Invoke for Echo {
    fn invoke<'a>(&'a self, _: &'a str, payload: Bytes) -> BoxFuture<'a, Invocation> {
        let invocation = match serde_json::from_slice::<Event>(&payload) {
            Ok(Event { body }) => {
                Invocation::Returned(format!(r#"{{"statusCode":200,"body":{body}}}"#).into())
            }
            Err(error) => Invocation::Refused(error.to_string()),
        };
        std::future::ready(invocation).boxed()
    }
}
