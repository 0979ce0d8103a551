//! The function `authorizer`.

use std::time::SystemTime;

use herald_functions::{authorizer, wiring};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let origins = &wiring::allowed_origins()?;
    let verifier = &wiring::verifier(&config)?;
    let unavailable = &wiring::keys_unavailable();
    run(service_fn(|event: LambdaEvent<_>| {
        let now = SystemTime::now();
        let answer = authorizer::handle(event.payload, origins, verifier, unavailable, now);
        // Boxed, because rustc refuses the layout of the unboxed futures of nested SDK calls.
        Box::pin(answer)
    }))
    .await
}
