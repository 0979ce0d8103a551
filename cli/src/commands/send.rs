//! `herald send`: messages to other clients, sent over a connection.

use clap::{ArgGroup, Args};
use herald_client::{Client, EntityId, Message, Reply};

use super::{message, tally::Tally, with_client};
use crate::{
    failure::{Failure, request_failure},
    output::line,
    target::{Identity, Target, TargetArguments},
};

/// Send messages to other clients, as a client
///
/// Prints the event id of each message, once the server has acknowledged it. A MESSAGE that is not valid JSON is sent as a
/// string.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("audience").required(true).args(["entities", "broadcast"]),
    after_long_help = "\
Examples:
  herald send --entity room-1 Hello
  herald send --entity room-1 --entity room-2 '{\"text\":\"Hello\"}' '{\"text\":\"again\"}'
  herald send --broadcast --name Aseem 'Back in five minutes'"
)]
pub(crate) struct Arguments {
    /// Messages, as JSON or text
    #[arg(value_name = "MESSAGE", required = true)]
    messages: Vec<String>,

    /// Send to the other subscribers of this entity; may be repeated
    #[arg(long = "entity", value_name = "ID")]
    entities: Vec<EntityId>,

    /// Send to every other connection
    #[arg(long)]
    broadcast: bool,

    /// Sender's name in the pushes; the server does not check it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Send the messages as text, even if they are valid JSON
    #[arg(long)]
    text: bool,

    /// Print the server's acknowledgements, one line of JSON each
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    identity: Identity,
}

/// Sends all messages, and prints their results in order.
pub(crate) async fn run(arguments: &Arguments, target: &TargetArguments) -> Result<(), Failure> {
    let messages = messages(arguments).map_err(Failure::Usage)?;
    let target = Target::find(target).await?;
    with_client(&target, &arguments.identity, async |client| {
        send(client, messages, arguments.json).await
    })
    .await
}

/// Returns each message once for each of its targets, in the order of the command line.
fn messages(arguments: &Arguments) -> anyhow::Result<Vec<Message>> {
    let mut messages = Vec::new();
    for text in &arguments.messages {
        let json = message::parse(text, arguments.text)?;
        if arguments.broadcast {
            messages.push(Message::to_everyone(&json));
        }
        let to_entity = |entity: &EntityId| Message::to_entity(entity.clone(), &json);
        messages.extend(arguments.entities.iter().map(to_entity));
    }
    Ok(match &arguments.name {
        Some(name) => messages
            .into_iter()
            .map(|message| message.from_name(name))
            .collect(),
        None => messages,
    })
}

async fn send(client: &Client, messages: Vec<Message>, as_json: bool) -> Result<(), Failure> {
    // All messages are in flight before the first reply is awaited.
    let replies: Vec<_> = messages
        .into_iter()
        .map(|message| client.send(message))
        .collect();
    let is_one = replies.len() == 1;
    let mut tally = Tally::of("message");
    for (number, reply) in (1..).zip(replies) {
        match reply.await {
            Ok(reply) => {
                print(&reply, as_json)?;
                tally.succeeded();
            }
            Err(error) if is_one => return Err(request_failure("the message failed", &error)),
            Err(error) => tally.failed(request_failure(format_args!("message {number}"), &error)),
        }
    }
    tally.into_result()
}

fn print(reply: &Reply, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return line(reply.json());
    }
    reply.event_ids().iter().try_for_each(line)
}
