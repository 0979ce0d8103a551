//! The function `connect`.

use herald_functions::{connect, wiring};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let store = &wiring::connection_table(&config)?;
    let limit = wiring::number("CONNECTIONS_PER_USER")?;
    run(service_fn(|event: LambdaEvent<_>| {
        connect::handle(event.payload, store, limit)
    }))
    .await
}
