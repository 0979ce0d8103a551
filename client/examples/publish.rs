//! A publisher: sends an update of one order, and news for every connection, and waits until the server has
//! acknowledged both.
//!
//! ```sh
//! cargo run -p herald-local
//! cargo run -p herald-client --example publish -- ws://127.0.0.1:3030/dev
//! ```

use std::{env, error::Error, time::Duration};

use herald_client::{Batch, Client, ErrorCode, Message, Options, RequestError};
use serde::Serialize;

#[derive(Serialize)]
struct Order {
    state: &'static str,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1);
    let address = address.unwrap_or_else(|| "ws://127.0.0.1:3030/dev".to_owned());
    let client = Client::connect(&address, Options::new()).await?;

    // To the other subscribers of one entity. The sender need not subscribe.
    let shipped = Message::to_entity("order-1", Order { state: "shipped" })
        .from_name("warehouse")
        // The update is dropped if it cannot be sent within 10 s.
        .time_to_live(Duration::from_secs(10))
        // If the connection breaks before the reply, the client sends the update again.
        .safe_to_repeat();
    let reply = client.send(shipped).await?;
    println!("order-1: {}", reply.event_ids().join(" "));

    // To every other connection, several messages in one frame.
    let news = Batch::to_everyone("the warehouse closes at 18:00").and("it opens at 8:00")?;
    match client.send(news).await {
        Ok(reply) => println!("everyone: {}", reply.event_ids().join(" ")),
        // Some messages were sent: each that was not has `None` in place of its event id.
        Err(RequestError::Server(error)) if error.code() == Some(ErrorCode::PartlySent) => {
            println!("everyone, in part: {:?}", error.event_ids);
        }
        // The connection broke before the reply, and sending again might deliver the news twice.
        Err(RequestError::OutcomeUnknown) => println!("everyone, perhaps"),
        Err(error) => return Err(error.into()),
    }
    client.close(Duration::from_secs(5)).await;
    Ok(())
}
