//! The share of pushes that a slow reader misses in a flood, by the size of its buffer.
//!
//! A server on a thread of its own sends a burst of pushes as fast as the socket takes them. The reader awaits something
//! for each push, such as a write to a database, and the client goes on receiving meanwhile. A reader that works without
//! awaiting, on the only thread, misses nothing: the client waits for it. **missed** is the share of the burst that the
//! buffer dropped, which the reader is told by `Lagged`.
//!
//! ```sh
//! cargo bench -p herald-client --bench flood
//! ```
//!
//! The last line is JSON for programs: `docs/benchmarks.md`.
#![allow(missing_docs)]

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use herald_benches::{Figures, Run};
use herald_client::{Client, Options, SubscriptionError};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime,
    sync::oneshot,
    time::sleep,
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

/// The sizes of a burst.
const BURSTS: [usize; 4] = [1_000, 2_000, 10_000, 50_000];

/// The times that the reader awaits for a push.
const WAITS: [Duration; 2] = [Duration::ZERO, Duration::from_millis(1)];

/// The former default, and the present one.
const BUFFERS: [usize; 2] = [1_000, 10_000];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(run) = Run::from_arguments(&[])? else {
        return Ok(());
    };
    let mut figures = Figures::new("flood", &run);
    println!(
        "{:>8} {:>8} {:>8} {:>8} {:>10}",
        "burst", "wait", "buffer", "missed", "pushes/s"
    );
    for &burst in run.of(&BURSTS[..], &BURSTS[..1]) {
        for wait in WAITS {
            for buffer in BUFFERS {
                let (missed, time) = flood(burst, wait, buffer);
                let share = 100.0 * missed as f64 / burst as f64;
                let rate = burst as f64 / time.as_secs_f64();
                let millis = wait.as_millis();
                println!("{burst:>8} {millis:>5} ms {buffer:>8} {share:>7.1}% {rate:>10.0}");
                figures.add(
                    &json!({"burst": burst, "waitMs": wait.as_secs_f64() * 1e3, "buffer": buffer}),
                    [("missed", share, "%"), ("pushes", rate, "1/s")],
                );
            }
        }
    }
    println!();
    Ok(figures.print()?)
}

/// Returns the pushes that were missed, and the time from the first push to the last.
fn flood(burst: usize, wait: Duration, buffer: usize) -> (u64, Duration) {
    let (address, bound) = std::sync::mpsc::channel();
    let (start, started) = oneshot::channel();
    let server = thread::spawn(move || {
        let serve = async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let _ = address.send(listener.local_addr().expect("an address"));
            let (stream, _) = listener.accept().await.expect("a client");
            serve(stream, burst, started).await;
        };
        single_threaded().block_on(serve);
    });
    let address = bound.recv().expect("an address");
    let result = single_threaded().block_on(read(address, burst, wait, buffer, start));
    server.join().expect("the server ends");
    result
}

fn single_threaded() -> runtime::Runtime {
    let mut builder = runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

async fn serve(stream: TcpStream, burst: usize, started: oneshot::Receiver<()>) {
    let mut socket = accept_async(stream).await.expect("a handshake");
    let request = socket.next().await.expect("a frame").expect("a frame");
    let request: Value = serde_json::from_str(request.to_text().expect("a text")).expect("JSON");
    let ack =
        json!({"type": "ack", "action": "subscribe", "entityId": "order-1", "id": request["id"]});
    socket
        .send(Message::text(ack.to_string()))
        .await
        .expect("sent");
    started.await.expect("a start");
    for number in 0..burst {
        let push = json!({
            "type": "Entity Updated", "entityId": "order-1", "message": {"number": number, "text": "x".repeat(200)},
            "eventId": format!("event-{number}"), "time": "2026-11-28T12:00:00Z",
        });
        socket
            .feed(Message::text(push.to_string()))
            .await
            .expect("sent");
    }
    socket.flush().await.expect("sent");
    while let Some(Ok(_)) = socket.next().await {}
}

async fn read(
    address: SocketAddr,
    burst: usize,
    wait: Duration,
    buffer: usize,
    start: oneshot::Sender<()>,
) -> (u64, Duration) {
    let options = Options::new().buffer(buffer);
    let client = Client::connect(&format!("ws://{address}"), options)
        .await
        .expect("a connection");
    let mut order = client.subscribe("order-1").await.expect("a subscription");
    let begun = Instant::now();
    start.send(()).expect("the server waits");
    let (mut seen, mut missed) = (0, 0);
    while seen + missed < burst as u64 {
        match order.recv().await {
            Ok(_) => seen += 1,
            Err(SubscriptionError::Lagged(count)) => missed += count,
            Err(ended) => panic!("{ended}"),
        }
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }
    let time = begun.elapsed();
    client.close(Duration::ZERO).await;
    (missed, time)
}
