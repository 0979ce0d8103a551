//! The function `connect`.

use herald_functions::{connect, wiring};
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let store = wiring::connection_table(&config)?;
    let limit = wiring::number("CONNECTIONS_PER_USER")?;
    wiring::serve_route(async |event| connect::handle(event, &store, limit).await).await
}
