//! A chat room in the terminal: sends every line that is typed to a room, and prints the lines of the others.
//!
//! ```sh
//! cargo run -p herald-local
//! cargo run -p herald-client --example chat -- ws://127.0.0.1:3030/dev Alice
//! cargo run -p herald-client --example chat -- ws://127.0.0.1:3030/dev Bob
//! ```

use std::{env, error::Error, time::Duration};

use herald_client::{Client, Message, Options, PendingReply, Push, SubscriptionError};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

const ROOM: &str = "room-1";

/// The JSON of a message. Any type that serde serialises will do.
#[derive(Serialize, Deserialize)]
struct ChatLine {
    text: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let address = arguments
        .next()
        .unwrap_or_else(|| "ws://127.0.0.1:3030/dev".to_owned());
    let name = arguments.next().unwrap_or_else(|| "Guest".to_owned());

    // Fails if the server cannot be reached now. Later the client reconnects by itself.
    let client = Client::connect(&address, Options::new()).await?;
    let mut others = client.subscribe(ROOM).await?;
    println!("{name} is in {ROOM}; Ctrl-D leaves");

    let mut typed = BufReader::new(stdin()).lines();
    loop {
        tokio::select! {
            line = typed.next_line() => {
                let Some(text) = line? else { break };
                let message = Message::to_entity(ROOM, ChatLine { text }).from_name(&name);
                // Not awaited here, so that lines of the others are printed meanwhile.
                tokio::spawn(report_failure(client.send(message)));
            }
            push = others.recv() => match push {
                Ok(push) => print(&push),
                Err(SubscriptionError::Lagged(count)) => println!("({count} lines were lost)"),
                Err(ended) => return Err(ended.into()),
            },
        }
    }
    // Sends the lines that are still in the outbox.
    client.close(Duration::from_secs(5)).await;
    Ok(())
}

async fn report_failure(reply: PendingReply) {
    if let Err(error) = reply.await {
        eprintln!("the line may be lost: {error}");
    }
}

fn print(push: &Push) {
    let name = push.name().unwrap_or_default();
    match push.message::<ChatLine>() {
        Ok(line) => println!("{name}: {}", line.text),
        Err(error) => eprintln!("not a line of this chat: {error}"),
    }
}
