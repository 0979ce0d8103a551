//! `herald dlq show`: one message, whole.

use anyhow::anyhow;
use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Name, list::Listed, queues};
use crate::{
    failure::Failure,
    output::{json, line},
    target::Target,
};

/// Show a message of a dead-letter queue, whole
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  herald dlq show 11f5b1a0-0b9e-4d8a-9a3c-4f4b3a1b2c3d
  herald dlq show 11f5b1a0-0b9e-4d8a-9a3c-4f4b3a1b2c3d --json | jq .body.push.frame")]
pub(super) struct Arguments {
    /// The message's id, as `herald dlq list` prints it
    #[arg(value_name = "ID")]
    id: String,

    /// Only in this queue
    #[arg(long, value_name = "QUEUE")]
    from: Option<Name>,

    /// Print it as one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    listed: Listed<'a>,
    /// As it is if it is JSON, or else as a text.
    body: Body<'a>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Json(&'a RawValue),
    Text(&'a str),
}

/// Prints the message. Errs if there is none with the id.
pub(super) async fn run(arguments: &Arguments, target: &Target) -> Result<(), Failure> {
    let id = &arguments.id;
    for queue in queues(arguments.from, target).await? {
        let found = queue.take(&[id.as_str()].into()).await?;
        queue.release(&found).await?;
        let Some(letter) = found.first() else {
            continue;
        };
        let listed = Listed::from(letter);
        let body = &letter.body;
        if arguments.json {
            let raw = serde_json::from_str(body).map(Body::Json);
            let body = raw.unwrap_or(Body::Text(body));
            return json(&Shown { listed, body });
        }
        let serde_json::Value::Object(fields) = serde_json::to_value(&listed)? else {
            return line(body);
        };
        for (name, value) in &fields {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            line(format_args!("{name:<13} {text}"))?;
        }
        return line(format_args!("body          {body}"));
    }
    Err(anyhow!("there is no dead letter {id}: it may have been replayed").into())
}
