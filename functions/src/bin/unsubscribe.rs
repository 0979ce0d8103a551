//! The function `unsubscribe`.

use herald_functions::{unsubscribe, wiring};
use herald_shared::protocol::ENTITY_REQUEST_LIMIT;
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let table = wiring::subscription_table(&config)?;
    let backend = wiring::backend_events(&config)?;
    let admission = wiring::admission(&table)?;
    wiring::serve_messages(ENTITY_REQUEST_LIMIT, async |message, request| {
        let store = backend.watch_message(&table, message);
        let reply = unsubscribe::handle(message, request, &store, &admission);
        backend.after(reply, message.answer_by).await
    })
    .await
}
