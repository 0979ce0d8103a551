//! The function `subscribe`.

use herald_functions::{subscribe, wiring};
use herald_shared::protocol::SUBSCRIBE_LIMIT;
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let store = wiring::connection_table(&config)?;
    let admission = wiring::admission(&store)?;
    let limit = wiring::number("SUBSCRIPTIONS_PER_CONNECTION")?;
    wiring::serve_messages(SUBSCRIBE_LIMIT, async |message, request| {
        subscribe::handle(message, request, &store, &admission, limit).await
    })
    .await
}
