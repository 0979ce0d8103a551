//! A roster in the terminal: prints who is in `room-1`, and whoever joins and leaves.
//!
//! ```sh
//! cargo run -p herald-local -- --parameter 'Presence={"room-*":{}}'
//! cargo run -p herald-client --example roster -- ws://127.0.0.1:3030/dev
//! ```

use std::{env, error::Error};

use herald_client::{Client, EntityId, Options, SubscribeOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next();
    let address = address.unwrap_or_else(|| "ws://127.0.0.1:3030/dev".to_owned());
    let mut options = Options::new();
    if let Some(token) = arguments.next() {
        options = options.token(move || {
            let token = token.clone();
            async move { Ok::<_, std::io::Error>(token) }
        });
    }

    let client = Client::connect(&address, options).await?;
    let room = EntityId::new("room-1")?;
    let room = client
        .subscribe_with(room, SubscribeOptions::new().presence())
        .await?;
    let mut changes = room.presence_changes();
    while let Some(change) = changes.next().await {
        for member in &change.joined {
            println!("{} is here", member.user_id);
        }
        for member in &change.left {
            println!("{} left", member.user_id);
        }
        match change.presence {
            Some(presence) => println!("{} are in {}", presence.count, room.entity().as_str()),
            None => println!("{} has no presence", room.entity().as_str()),
        }
    }
    Ok(())
}
