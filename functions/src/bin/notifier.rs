//! The function `notifier`.

use herald_functions::{notifier, wiring};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let store = &wiring::connection_table(&config)?;
    let poster = &wiring::management_api(&config)?;
    run(service_fn(|event: LambdaEvent<_>| async move {
        Ok::<_, Error>(notifier::handle(event.payload, store, poster).await)
    }))
    .await
}
