//! `herald dlq show`: one message with its body.

use anyhow::anyhow;
use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{QueueName, list::LetterSummary, queues};
use crate::{
    failure::Failure,
    output::{json, line},
    target::Target,
};

/// Show a message of a dead-letter queue with its body
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  herald dlq show 11f5b1a0-0b9e-4d8a-9a3c-4f4b3a1b2c3d
  herald dlq show 11f5b1a0-0b9e-4d8a-9a3c-4f4b3a1b2c3d --json | jq .body.push.frame")]
pub(super) struct Arguments {
    /// Id of the message, as `herald dlq list` prints it
    #[arg(value_name = "ID")]
    id: String,

    /// Only in this queue
    #[arg(long, value_name = "QUEUE")]
    from: Option<QueueName>,

    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct LetterDetails<'a> {
    #[serde(flatten)]
    summary: LetterSummary<'a>,
    body: Body<'a>,
}

/// The body: JSON as it is, or else text.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Json(&'a RawValue),
    Text(&'a str),
}

/// Prints the message. Fails if no message has the id.
pub(super) async fn run(arguments: &Arguments, target: &Target) -> Result<(), Failure> {
    let id = &arguments.id;
    for queue in queues(arguments.from, target).await? {
        let found = queue.receive_ids(&[id.as_str()].into()).await?;
        queue.release(&found).await?;
        let Some(letter) = found.first() else {
            continue;
        };
        let summary = LetterSummary::from(letter);
        let body = &letter.body;
        if arguments.json {
            let raw = serde_json::from_str(body).map(Body::Json);
            let body = raw.unwrap_or(Body::Text(body));
            return json(&LetterDetails { summary, body });
        }
        let serde_json::Value::Object(fields) = serde_json::to_value(&summary)? else {
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
    Err(anyhow!("dead letter {id} does not exist: it may have been replayed; `herald dlq list` prints the ids").into())
}
