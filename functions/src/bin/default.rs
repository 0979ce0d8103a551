//! The function `default`.

use herald_functions::{default, wiring};
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    wiring::start_logging();
    wiring::serve_messages(default::handle).await
}
