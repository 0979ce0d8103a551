//! A dashboard in the terminal: prints the state of three orders whenever one changes.
//!
//! ```sh
//! cargo run -p herald-local
//! cargo run -p herald-client --example dashboard -- ws://127.0.0.1:3030/dev
//! cargo run -p herald-client --example publish -- ws://127.0.0.1:3030/dev
//! ```

use std::{env, error::Error};

use herald_client::{Client, ConnectionState, EntityId, Next, Options, Push, SubscriptionError};
use serde::Deserialize;

const ORDERS: [&str; 3] = ["order-1", "order-2", "order-3"];

/// The message of a push about an order.
#[derive(Deserialize)]
struct Order {
    state: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1);
    let address = address.unwrap_or_else(|| "ws://127.0.0.1:3030/dev".to_owned());

    // Unlike `connect`, `start` waits for a server that is not up yet.
    let client = Client::start(&address, Options::new())?;
    tokio::spawn(print_states(client.clone()));

    // Subscriptions that are made together share one request.
    let mut orders = client.subscribe_many(ORDERS).await?;
    println!("watching {}", ORDERS.join(", "));
    while let Some((order, event)) = orders.next_event().await {
        match event {
            Ok(Next::Message(push)) => print(&order, &push),
            // This is the moment to read the order from its source.
            Ok(_) => println!("changes of {order} may be lost"),
            Err(SubscriptionError::Lagged(count)) => {
                println!("{count} changes of {order} were lost")
            }
            Err(ended) => return Err(ended.into()),
        }
    }
    Ok(())
}

fn print(id: &EntityId, push: &Push) {
    match push.message::<Order>() {
        Ok(order) => println!("{id} is {}", order.state),
        Err(error) => eprintln!("{id} has a message that is not an order: {error}"),
    }
}

/// Prints the changes of the connection.
async fn print_states(client: Client) {
    let mut states = client.states();
    while states.changed().await.is_ok() {
        match &*states.borrow_and_update() {
            // Pushes during a gap are lost: this is the moment to read the orders from their source.
            ConnectionState::Open => println!("connected"),
            ConnectionState::Reconnecting { delay, .. } => match client.last_failure() {
                Some(error) => println!("{error}; next attempt after {delay:?}"),
                None => println!("the connection broke; next attempt after {delay:?}"),
            },
            ConnectionState::Stopped(reason) => println!("{reason}"),
            _ => {}
        }
    }
}
