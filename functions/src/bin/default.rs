//! The function `default`.

use herald_functions::{default, wiring};
use herald_shared::protocol::MESSAGE_LIMIT;
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    wiring::start_logging();
    wiring::serve_messages(MESSAGE_LIMIT, default::handle).await
}
