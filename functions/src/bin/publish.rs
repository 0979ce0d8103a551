//! The function `publish`, behind a URL of its own.

use herald_functions::{
    publish::{self, Publisher},
    wiring,
};
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let keys = wiring::key_ring(&config)?;
    let publisher = Publisher {
        queue: &wiring::notification_queue(&config)?,
        bus: &wiring::event_bus(&config)?,
        logs: &wiring::logs(&config)?,
    };
    wiring::serve_http(async |request, answer_by| {
        publish::handle(request, &keys, &publisher, answer_by).await
    })
    .await
}
