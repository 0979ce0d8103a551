//! The function `connect`.

use herald_functions::{connect, wiring};
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let store = wiring::subscription_table(&config)?;
    let gateway = wiring::gateway(&config)?;
    let limit = wiring::connection_limit(&store, &gateway)?;
    wiring::serve_route(async |event| connect::handle(event, &store, &limit).await).await
}
