//! The baseline of the notifier: a process that only posts the same bytes to the same sink, unsigned,
//! with plain hyper.

use std::{cell::Cell, env, net::SocketAddr, process::Stdio, rc::Rc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use futures_util::future::try_join_all;
use herald_benches::process::processor_time;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};

use crate::sink::post_path;

/// The hidden argument that makes a process of this program a bare client.
pub(crate) const PROCESS: &str = "--bare-client-process";

/// Posts `frame` to a sink `posts` times, `in_flight` at once, and returns the processor time.
pub(crate) async fn post(
    sink: SocketAddr,
    posts: usize,
    in_flight: usize,
    frame: &str,
) -> anyhow::Result<Duration> {
    let mut process = Command::new(env::current_exe()?)
        .arg(PROCESS)
        .args([sink.to_string(), posts.to_string(), in_flight.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut input = process.stdin.take().context("the client has no input")?;
    input.write_all(frame.as_bytes()).await?;
    drop(input);
    let output = process.wait_with_output().await?;
    anyhow::ensure!(output.status.success(), "the bare client failed");
    let nanoseconds = String::from_utf8(output.stdout)?.trim().parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// Runs a client to its end, and prints the processor time of its posts in nanoseconds.
pub(crate) async fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let [sink, posts, in_flight] = arguments else {
        anyhow::bail!("a bare client needs the arguments SINK POSTS IN_FLIGHT");
    };
    let (sink, posts, in_flight): (SocketAddr, usize, usize) =
        (sink.parse()?, posts.parse()?, in_flight.parse()?);
    let mut frame = Vec::new();
    tokio::io::stdin().read_to_end(&mut frame).await?;
    let frame = Bytes::from(frame);
    let connections = try_join_all((0..in_flight).map(|_| connect(sink))).await?;
    let left = Rc::new(Cell::new(posts));
    let idle = processor_time(std::process::id())?;
    try_join_all(
        connections
            .into_iter()
            .map(|connection| post_while(connection, &left, sink, &frame)),
    )
    .await?;
    let busy = processor_time(std::process::id())? - idle;
    println!("{}", busy.as_nanos());
    Ok(())
}

async fn connect(sink: SocketAddr) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(sink).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn post_while(
    mut connection: SendRequest<Full<Bytes>>,
    left: &Cell<usize>,
    sink: SocketAddr,
    frame: &Bytes,
) -> anyhow::Result<()> {
    while let Some(next) = left.get().checked_sub(1) {
        left.set(next);
        let request = Request::post(post_path(&format!("P{next:09}Em4LQ%3D")))
            .header("host", sink.to_string())
            .body(Full::new(frame.clone()))?;
        connection.ready().await?;
        let answer = connection.send_request(request).await?;
        anyhow::ensure!(
            answer.status() == 200,
            "the sink answered {}",
            answer.status()
        );
        answer.into_body().collect().await?;
    }
    Ok(())
}
