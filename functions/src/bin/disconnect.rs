//! The function `disconnect`.

use herald_functions::{disconnect, wiring};
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let store = wiring::subscription_table(&config)?;
    wiring::serve_route(async |event| disconnect::handle(event, &store).await).await
}
