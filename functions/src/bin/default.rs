//! The function `default`. Without presence it makes no call to AWS.

use herald_functions::{aws, default, wiring};
use herald_shared::protocol::MESSAGE_LIMIT;
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    wiring::start_logging();
    let store = match wiring::presence()?.is_off() {
        true => None,
        false => Some(wiring::subscription_table(&aws::config().await)?),
    };
    wiring::serve_messages(MESSAGE_LIMIT, async |message, request| {
        default::handle(message, request, store.as_ref()).await
    })
    .await
}
