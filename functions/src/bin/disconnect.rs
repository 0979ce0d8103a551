//! The function `disconnect`.

use herald_functions::{disconnect, wiring};
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let table = wiring::subscription_table(&config)?;
    let backend = wiring::backend_events(&config)?;
    wiring::serve_route(async |event, answer_by| {
        let store = backend.watch(&table, disconnect::end(&event));
        let answer = disconnect::handle(event, &store);
        backend.after(answer, answer_by).await
    })
    .await
}
