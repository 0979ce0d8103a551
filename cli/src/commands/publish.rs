//! `herald publish`: events for EventBridge, and messages over HTTP, as a backend publishes them.

mod batch;
mod bus;
mod channel;
mod entry;
mod http;
mod lines;

use std::{
    env, fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{ArgGroup, Args};
use herald_shared::{
    audience::Audience,
    ids::{EntityId, UserId},
};
use serde_json::value::RawValue;

use super::{message, until_interrupted};
use crate::{
    failure::Failure,
    output::{json, line},
    target::{Target, TargetArguments},
};
use bus::Bus;
use channel::Channel;
use entry::{Content, Entry};
use http::Http;

/// Publish events on the event bus, to the subscribers of an entity, to a user, or to everyone
///
/// Prints the event id that clients receive, once EventBridge has accepted the event. A MESSAGE that is not valid JSON is
/// sent as a string. Without MESSAGE and --file, the message is read from standard input. Empty input is refused.
///
/// With --url, --key or --http, the messages go over HTTP to the function `publish`, which needs an API key instead of AWS
/// credentials. It prints the offset behind the event id if the audience has a log.
///
/// With --lines, each line of the input is one event: a JSON object with `message`, one of `entityId`, `userId` and
/// `"broadcast":true`, and optionally `callback` (only with `userId`), `version` and `idempotencyKey`. Throttled events
/// are retried. A line that fails is reported with its number, and the other lines are published.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("audience").required(true).args(["entity", "user", "broadcast", "lines"]),
    after_long_help = "\
Examples:
  herald publish --entity order-1 '{\"state\":\"shipped\"}'
  herald publish --user alice 'You have won' --callback '{\"open\":\"/prizes\"}'
  herald publish --entity price:7 --version 12 '{\"usd\":4.20}'
  herald publish --broadcast --file notice.json
  echo '{\"entityId\":\"order-1\",\"message\":{\"state\":\"paid\"}}' | herald publish --lines
  herald publish --lines --file events.jsonl
  HERALD_KEY=$(herald key create) herald publish --http --entity order-1 Hello
  herald publish --url https://abc.lambda-url.eu-central-1.on.aws/ --key \"$KEY\" --broadcast Hello

Exit codes (`herald --help` lists all):
  5  some of the lines failed"
)]
pub(crate) struct Arguments {
    /// Message, as JSON or text
    #[arg(value_name = "MESSAGE", conflicts_with_all = ["file", "lines"])]
    message: Option<String>,

    /// Publish to the subscribers of this entity
    #[arg(long, value_name = "ID")]
    entity: Option<EntityId>,

    /// Publish to the connections of this user
    #[arg(long, value_name = "ID")]
    user: Option<UserId>,

    /// Publish to every connection
    #[arg(long)]
    broadcast: bool,

    /// Publish one event for each line of the input
    #[arg(long, conflicts_with_all = ["text", "callback", "idempotency_key", "event_version"])]
    lines: bool,

    /// Read the message or the lines from this file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Publish the message as text, even if it is valid JSON
    #[arg(long)]
    text: bool,

    /// JSON for the application, beside the message
    #[arg(long, value_name = "JSON", conflicts_with_all = ["entity", "broadcast"], value_parser = raw_json)]
    callback: Option<Box<RawValue>>,

    /// Event id that clients receive, so that they drop the event if it is published again
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,

    /// Version of the state in the message: a log of the last message drops an event whose version is not higher
    #[arg(long = "version", value_name = "N", id = "event_version")]
    version: Option<u64>,

    /// The field `source` of the events
    #[arg(long, value_name = "SOURCE", default_value = "herald.cli", conflicts_with_all = ["http", "url", "key"])]
    source: String,

    /// Publish over HTTP, at the URL of the target
    #[arg(long)]
    http: bool,

    /// Publish over HTTP at this URL; the target is not looked up
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// Publish over HTTP with this API key [env: HERALD_KEY, which other users of this machine cannot see]
    #[arg(long, value_name = "KEY")]
    key: Option<String>,

    /// Print JSON with `eventId`, over HTTP also `epoch` and `offset`, and with --lines the number of the `line`
    #[arg(long)]
    json: bool,
}

/// Publishes one event, or one for each line.
pub(crate) async fn run(arguments: &Arguments, target: &TargetArguments) -> Result<(), Failure> {
    until_interrupted(async {
        if arguments.lines {
            let channel = channel(arguments, target).await?;
            return lines::publish(&channel, arguments.file.as_deref(), arguments.json).await;
        }
        let entry = entry(arguments).map_err(Failure::Usage)?;
        let channel = channel(arguments, target).await?;
        publish(&channel, entry, arguments.json).await
    })
    .await
}

async fn channel(arguments: &Arguments, target: &TargetArguments) -> Result<Channel, Failure> {
    if arguments.http || arguments.url.is_some() || arguments.key.is_some() {
        let http = http(arguments, target).await?;
        return Ok(Channel::Http(Box::new(http)));
    }
    let target = Target::find(target).await?;
    if arguments.user.is_some() {
        target.note_without_users();
    }
    let config = target.aws().await?;
    let bus = Bus::new(&config, target.addresses.bus()?, &arguments.source);
    Ok(Channel::Bus(bus))
}

async fn http(arguments: &Arguments, target: &TargetArguments) -> Result<Http, Failure> {
    let variable = || env::var("HERALD_KEY").ok().filter(|key| !key.is_empty());
    let key = arguments.key.clone().or_else(variable).ok_or_else(|| {
        Failure::usage(
            "publishing over HTTP needs an API key: pass --key or set HERALD_KEY; `herald key create` makes one",
        )
    })?;
    let url = match &arguments.url {
        Some(url) => url.clone(),
        None => {
            let target = Target::find(target).await?;
            target.publish_url.ok_or_else(|| {
                Failure::usage(
                    "the target has no URL for publishing: deploy the stack with the parameter \
                     PublishKeys=create, or pass --url",
                )
            })?
        }
    };
    Http::new(&url, &key)
}

async fn publish(channel: &Channel, entry: Entry, as_json: bool) -> Result<(), Failure> {
    let results = channel.put(&[&entry]).await?;
    let result = results.into_iter().next();
    let published = result.context("the response has no result")??;
    if as_json {
        json(&published)
    } else {
        line(published.text())
    }
}

fn entry(arguments: &Arguments) -> anyhow::Result<Entry> {
    let text = match (&arguments.message, &arguments.file) {
        (Some(message), _) => message.clone(),
        (None, Some(file)) => read_file(file)?,
        (None, None) => read_standard_input()?,
    };
    let message = message::parse(&text, arguments.text)?;
    let content = Content {
        message: &message,
        callback: arguments.callback.as_deref(),
        version: arguments.version,
        idempotency_key: arguments.idempotency_key.as_deref(),
    };
    Entry::new(audience(arguments), content)
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
    let text = text.with_context(|| format!("cannot read {}", file.display()))?;
    content(&text, &file.display().to_string())
}

fn read_standard_input() -> anyhow::Result<String> {
    let stdin = io::stdin().lock();
    if stdin.is_terminal() {
        bail!("the message is missing: pass it as an argument, with --file or on standard input");
    }
    let text = io::read_to_string(stdin).context("cannot read standard input")?;
    content(&text, "standard input")
}

/// The mark with which some editors and shells begin a text.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Returns the message in an input of this name. Fails if the input is empty, as after a command that failed.
fn content(text: &str, name: &str) -> anyhow::Result<String> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    if text.is_empty() {
        bail!(
            "{name} is empty, so nothing was published: pass the message, or '' for an empty text, as an argument"
        );
    }
    Ok(without_line_break(text).to_owned())
}

/// Removes the line break with which programs and editors end a text.
fn without_line_break(text: &str) -> &str {
    let line_break = text.strip_suffix("\r\n").or(text.strip_suffix('\n'));
    line_break.unwrap_or(text)
}

fn raw_json(text: &str) -> serde_json::Result<Box<RawValue>> {
    RawValue::from_string(text.to_owned())
}
