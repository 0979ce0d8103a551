//! The function `unsubscribe`.

use herald_functions::{unsubscribe, wiring};
use herald_shared::protocol::ENTITY_REQUEST_LIMIT;
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let store = wiring::subscription_table(&config)?;
    let admission = wiring::admission(&store)?;
    wiring::serve_messages(ENTITY_REQUEST_LIMIT, async |message, request| {
        unsubscribe::handle(message, request, &store, &admission).await
    })
    .await
}
