//! The function `subscribe`, which serves the actions `subscribe` and `presence`: both read the members of an
//! entity, so no other function needs the right to.

use herald_functions::{presence, subscribe, wiring};
use herald_shared::protocol::SUBSCRIBE_LIMIT;
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let table = wiring::subscription_table(&config)?;
    let members = table.members();
    let backend = wiring::backend_events(&config)?;
    let logs = wiring::logs(&config)?;
    let admission = wiring::admission(&table)?;
    let limit = wiring::number("SUBSCRIPTIONS_PER_CONNECTION")?;
    wiring::serve_messages(SUBSCRIBE_LIMIT, async |message, request| {
        match request.action().as_deref() {
            Some("presence") => presence::handle(message, request, members, &admission).await,
            _ => {
                let store = backend.watch_message(&table, message);
                let reply =
                    subscribe::handle(message, request, &store, &logs, members, &admission, limit);
                backend.after(reply, message.answer_by).await
            }
        }
    })
    .await
}
