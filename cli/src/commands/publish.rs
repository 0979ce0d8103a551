//! `herald publish`: events for EventBridge, as a backend puts them.

mod batch;
mod bus;
mod entry;
mod lines;

use std::{
    fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{ArgGroup, Args};
use herald_shared::{
    audience::Audience,
    ids::{EntityId, UserId},
};
use serde_json::{json, value::RawValue};

use super::{message, until_interrupted};
use crate::{
    arguments::Globals,
    failure::Failure,
    output::{json, line},
    target::Target,
};
use bus::Bus;
use entry::Entry;

/// Put events on the bus, for the subscribers of an entity, a user, or everyone
///
/// Prints the id under which clients get the event, once EventBridge has taken it. A message is JSON as
/// it is written, and anything that is no JSON is a text; without a MESSAGE and --file it is read from
/// standard input.
///
/// With --lines there are many: each line is a JSON object with `message`, one of `entityId`, `userId` and
/// `"broadcast":true`, and perhaps `callback` (for a user) and `idempotencyKey`. What EventBridge throttles is
/// tried again; a line that fails is told with its number, and the others go on.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("audience").required(true).args(["entity", "user", "broadcast", "lines"]),
    after_long_help = "\
Examples:
  herald publish --entity order-1 '{\"state\":\"shipped\"}'
  herald publish --user alice 'You have won' --callback '{\"open\":\"/prizes\"}'
  herald publish --broadcast --file notice.json
  echo '{\"entityId\":\"order-1\",\"message\":{\"state\":\"paid\"}}' | herald publish --lines
  herald publish --lines --file events.jsonl

Exit codes of its own:
  5  of many events some were not taken"
)]
pub(crate) struct Arguments {
    /// The message
    #[arg(value_name = "MESSAGE", conflicts_with_all = ["file", "lines"])]
    message: Option<String>,

    /// The entity whose subscribers get it
    #[arg(long, value_name = "ID")]
    entity: Option<EntityId>,

    /// The user whose connections get it
    #[arg(long, value_name = "ID")]
    user: Option<UserId>,

    /// Every connection gets it
    #[arg(long)]
    broadcast: bool,

    /// Put one event for each line
    #[arg(long, conflicts_with_all = ["text", "callback", "idempotency_key"])]
    lines: bool,

    /// Read the message, or the lines, from this file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Put the message as text, even if it is JSON
    #[arg(long)]
    text: bool,

    /// What the user's client is to do with it, as JSON
    #[arg(long, value_name = "JSON", conflicts_with_all = ["entity", "broadcast"], value_parser = raw_json)]
    callback: Option<Box<RawValue>>,

    /// The id under which clients get it, so that they drop it when it is put again
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,

    /// The `source` of the events
    #[arg(long, value_name = "SOURCE", default_value = "herald.cli")]
    source: String,

    /// Print JSON: `eventId`, and with --lines the number of its `line`
    #[arg(long)]
    json: bool,
}

/// Puts the event, or one for each line.
pub(crate) async fn run(arguments: &Arguments, globals: &Globals) -> Result<(), Failure> {
    until_interrupted(async {
        if arguments.lines {
            let bus = bus(arguments, globals).await?;
            return lines::publish(&bus, arguments.file.as_deref(), arguments.json).await;
        }
        let entry = entry(arguments).map_err(Failure::Usage)?;
        publish(&bus(arguments, globals).await?, entry, arguments.json).await
    })
    .await
}

async fn bus(arguments: &Arguments, globals: &Globals) -> Result<Bus, Failure> {
    let target = Target::find(globals).await?;
    let config = target.aws().await?;
    Ok(Bus::new(&config, target.bus()?, &arguments.source))
}

async fn publish(bus: &Bus, entry: Entry, as_json: bool) -> Result<(), Failure> {
    let results = bus.put(&[&entry]).await?;
    let result = results.into_iter().next();
    let event_id = result.context("EventBridge answers about no event")??;
    if as_json {
        json(&json!({"eventId": event_id}))
    } else {
        line(event_id)
    }
}

fn entry(arguments: &Arguments) -> anyhow::Result<Entry> {
    let text = match (&arguments.message, &arguments.file) {
        (Some(message), _) => message.clone(),
        (None, Some(file)) => read_file(file)?,
        (None, None) => read_standard_input()?,
    };
    let message = message::read(&text, arguments.text)?;
    Entry::new(
        audience(arguments),
        &message,
        arguments.callback.as_deref(),
        arguments.idempotency_key.as_deref(),
    )
}

fn audience(arguments: &Arguments) -> Audience {
    match (&arguments.entity, &arguments.user) {
        (Some(entity), _) => Audience::Entity(entity.clone()),
        (_, Some(user)) => Audience::User(user.clone()),
        (None, None) => Audience::Everyone,
    }
}

fn read_file(file: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(file);
    let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(without_line_break(&text).to_owned())
}

fn read_standard_input() -> anyhow::Result<String> {
    let stdin = io::stdin().lock();
    if stdin.is_terminal() {
        bail!("there is no message: give it as an argument, with --file, or on standard input");
    }
    let text = io::read_to_string(stdin).context("standard input cannot be read")?;
    Ok(without_line_break(&text).to_owned())
}

/// Programs and editors end what they write with one.
fn without_line_break(text: &str) -> &str {
    let line_break = text.strip_suffix("\r\n").or(text.strip_suffix('\n'));
    line_break.unwrap_or(text)
}

fn raw_json(text: &str) -> serde_json::Result<Box<RawValue>> {
    RawValue::from_string(text.to_owned())
}
