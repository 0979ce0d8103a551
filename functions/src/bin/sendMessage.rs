//! The function `sendMessage`.
#![allow(
    non_snake_case,
    reason = "the binary has the name of its route, as in the template"
)]

use herald_functions::{send_message, wiring};
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let store = wiring::connection_table(&config)?;
    let admission = wiring::admission(&store)?;
    let queue = wiring::notification_queue(&config)?;
    let limit = wiring::number("MESSAGE_BYTES")?;
    wiring::serve_messages(limit, async |message, request| {
        send_message::handle(message, request, &admission, &queue).await
    })
    .await
}
