//! `herald send`: messages to other clients, as a client sends them.

use clap::{ArgGroup, Args};
use herald_client::{Client, EntityId, Message, Reply};
use serde_json::Value;

use super::{message, outcome::Outcome, with_client};
use crate::{
    arguments::Globals,
    failure::Failure,
    output::line,
    target::{Identity, Target, not_done},
};

/// Send messages to other clients over a connection, as clients do
///
/// Prints the event id of each message, once the server has taken it. A message is JSON as it is
/// written, and anything that is no JSON is a text.
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
    /// Messages, each for itself
    #[arg(value_name = "MESSAGE", required = true)]
    messages: Vec<String>,

    /// The entity whose other subscribers get them; may be given more than once
    #[arg(long = "entity", value_name = "ID")]
    entities: Vec<EntityId>,

    /// Every other connection gets them
    #[arg(long)]
    broadcast: bool,

    /// Whom they say they are from; nobody checks that
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Send the messages as text, even if they are JSON
    #[arg(long)]
    text: bool,

    /// Print the server's acknowledgements, as lines of JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    identity: Identity,
}

/// Sends all messages, and prints what became of them in their order.
pub(crate) async fn run(arguments: &Arguments, globals: &Globals) -> Result<(), Failure> {
    let messages = messages(arguments).map_err(Failure::Usage)?;
    let target = Target::find(globals).await?;
    with_client(&target, &arguments.identity, async |client| {
        send(client, messages, arguments.json).await
    })
    .await
}

/// Every message to everyone who is to get it, in the order of the command line.
fn messages(arguments: &Arguments) -> anyhow::Result<Vec<Message>> {
    let mut messages = Vec::new();
    for text in &arguments.messages {
        let json = message::read(text, arguments.text)?;
        let value: Value = serde_json::from_str(json.get())?;
        if arguments.broadcast {
            messages.push(Message::to_everyone(value.clone()));
        }
        let to_entity = |entity: &EntityId| Message::to_entity(entity.clone(), value.clone());
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
    // All are under way before the first is waited for.
    let replies: Vec<_> = messages
        .into_iter()
        .map(|message| client.send(message))
        .collect();
    let is_one = replies.len() == 1;
    let mut outcome = Outcome::default();
    for (number, reply) in (1..).zip(replies) {
        match reply.await {
            Ok(reply) => {
                print(&reply, as_json)?;
                outcome.done();
            }
            Err(error) if is_one => return Err(not_done("the message was not sent", &error)),
            Err(error) => outcome.failed(not_done(format_args!("message {number}"), &error)),
        }
    }
    outcome.into_result("messages")
}

fn print(reply: &Reply, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return line(reply.json());
    }
    reply.event_ids().iter().try_for_each(line)
}
