//! The function `subscribe`.

use herald_functions::{subscribe, wiring};
use herald_shared::protocol::SUBSCRIBE_LIMIT;
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let table = wiring::connection_table(&config)?;
    let backend = wiring::backend_events(&config)?;
    let logs = wiring::logs(&config)?;
    let admission = wiring::admission(&table)?;
    let limit = wiring::number("SUBSCRIPTIONS_PER_CONNECTION")?;
    wiring::serve_messages(SUBSCRIBE_LIMIT, async |message, request| {
        let store = backend.watch_message(&table, message);
        let reply = subscribe::handle(message, request, &store, &logs, &admission, limit);
        backend.after(reply, message.answer_by).await
    })
    .await
}
