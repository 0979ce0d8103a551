//! The function `connect`.

use herald_functions::{backend_events::End, connect, wiring};
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let backend = wiring::backend_events(&config)?;
    let store = backend.watch(&wiring::subscription_table(&config)?, End::Gone);
    let gateway = wiring::gateway(&config)?;
    let limit = wiring::connection_limit(&store, &gateway)?;
    wiring::serve_route(async |event, answer_by| {
        let answer = connect::handle(event, &store, &limit);
        backend.after(answer, answer_by).await
    })
    .await
}
