//! The function `subscribe`, which serves the actions `subscribe` and `presence`: both read the members of an
//! entity, so no other function needs the right to.

use herald_functions::{presence, subscribe, wiring};
use herald_shared::protocol::SUBSCRIBE_LIMIT;
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let store = wiring::subscription_table(&config)?;
    let members = store.members();
    let logs = wiring::logs(&config)?;
    let admission = wiring::admission(&store)?;
    let limit = wiring::number("SUBSCRIPTIONS_PER_CONNECTION")?;
    wiring::serve_messages(SUBSCRIBE_LIMIT, async |message, request| {
        match request.action().as_deref() {
            Some("presence") => presence::handle(message, request, members, &admission).await,
            _ => {
                subscribe::handle(message, request, &store, &logs, members, &admission, limit).await
            }
        }
    })
    .await
}
