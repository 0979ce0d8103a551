//! The function `history`, which serves the actions `history` and `sync`: both read the same logs with the
//! same permissions, and the frequent `sync` keeps a process warm for `history`.

use herald_functions::{history, sync, wiring};
use herald_shared::protocol::SUBSCRIBE_LIMIT;
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let store = wiring::subscription_table(&config)?;
    let admission = wiring::admission(&store)?;
    let logs = wiring::logs(&config)?;
    wiring::serve_messages(SUBSCRIBE_LIMIT, async |message, request| {
        match request.action().as_deref() {
            Some("sync") => sync::handle(message, request, &admission, &logs, &store).await,
            _ => history::handle(message, request, &admission, &logs).await,
        }
    })
    .await
}
