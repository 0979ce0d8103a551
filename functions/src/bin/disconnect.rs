//! The function `disconnect`.

use herald_functions::{disconnect, wiring};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let store = &wiring::connection_table(&config)?;
    run(service_fn(|event: LambdaEvent<_>| {
        disconnect::handle(event.payload, store)
    }))
    .await
}
