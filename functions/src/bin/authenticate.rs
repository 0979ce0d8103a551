//! The function `authenticate`.

use std::time::SystemTime;

use herald_functions::{authenticate, wiring};
use herald_shared::protocol::AUTHENTICATE_LIMIT;
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let store = wiring::connection_table(&config)?;
    let admission = wiring::admission(&store)?;
    let verifier = wiring::verifier(&config)?;
    wiring::serve_messages(AUTHENTICATE_LIMIT, async |message, request| {
        authenticate::handle(
            message,
            request,
            &store,
            &admission,
            &verifier,
            SystemTime::now(),
        )
        .await
    })
    .await
}
