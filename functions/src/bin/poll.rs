//! The function `poll`, behind a URL of its own.

use std::time::SystemTime;

use herald_functions::{poll::Poll, wiring};
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let rates = wiring::connection_table(&config)?.without_connections();
    let poll = Poll {
        verifier: &wiring::verifier(&config)?,
        origins: &wiring::allowed_origins()?,
        admission: &wiring::admission(&rates)?,
        queue: &wiring::notification_queue(&config)?,
        logs: &wiring::logs(&config)?,
        message_bytes: wiring::number("MESSAGE_BYTES")?,
    };
    wiring::serve_http(async |request, answer_by| {
        poll.answer(request, SystemTime::now(), answer_by).await
    })
    .await
}
