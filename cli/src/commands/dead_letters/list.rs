//! `herald dlq list`: the messages of the dead-letter queues.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use serde::Serialize;

use super::{QueueName, letter::DeadLetter, queues};
use crate::{
    failure::Failure,
    output::{json, line, note},
    target::Target,
};

/// List the messages of the dead-letter queues
///
/// Prints one message a line: its id, its queue, its age, its receive count, its audience and the reason. The reason says
/// after how many attempts the notifier gave up. A message without a reason made the notifier itself fail five times.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  herald dlq list
  herald dlq list --from notifications --json | jq -r .reason | sort | uniq -c")]
pub(super) struct Arguments {
    /// Only this queue
    #[arg(long, value_name = "QUEUE")]
    from: Option<QueueName>,

    /// Largest number of messages to list of each queue
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,

    /// Print one line of JSON for each message
    #[arg(long)]
    json: bool,
}

/// One line of the output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LetterSummary<'a> {
    id: &'a str,
    queue: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receive_count: Option<u32>,
}

/// Prints the messages of the queues, one queue after the other.
pub(super) async fn run(arguments: &Arguments, target: &Target) -> Result<(), Failure> {
    let limit = arguments.limit as usize;
    let mut is_empty = true;
    for queue in queues(arguments.from, target).await? {
        let letters = queue.peek(limit).await?;
        is_empty &= letters.is_empty();
        for letter in &letters {
            if arguments.json {
                json(&LetterSummary::from(letter))?;
            } else {
                line(text(letter, SystemTime::now()))?;
            }
        }
        if letters.len() == limit {
            let name = queue.name.as_str();
            note(format_args!(
                "{name} may contain more messages: raise --limit to list them"
            ));
        }
    }
    if is_empty {
        note("no dead letters found");
    }
    Ok(())
}

impl<'a> From<&'a DeadLetter> for LetterSummary<'a> {
    fn from(letter: &'a DeadLetter) -> Self {
        let push = letter.push.as_ref();
        Self {
            id: &letter.id,
            queue: letter.queue.as_str(),
            reason: letter.reason.as_deref(),
            event_id: push.map(|push| push.event_id.as_str()),
            audience: push.map(|push| push.audience.as_str()),
            sent_at: letter.sent_at.map(|time| {
                DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true)
            }),
            receive_count: letter.receive_count,
        }
    }
}

fn text(letter: &DeadLetter, now: SystemTime) -> String {
    let age = letter
        .sent_at
        .and_then(|sent| now.duration_since(sent).ok());
    format!(
        "{}  {:<13}  {:>4}  received {}x  {}  {}",
        letter.id,
        letter.queue.as_str(),
        age.map_or_else(|| "-".to_owned(), in_words),
        letter.receive_count.unwrap_or_default(),
        letter
            .push
            .as_ref()
            .map_or("invalid push", |push| push.audience.as_str()),
        letter.reason.as_deref().unwrap_or("no reason given"),
    )
}

/// Formats an age in its largest unit.
fn in_words(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_is_printed_in_its_largest_unit() {
        for (seconds, words) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_599, "59m"),
            (3_600, "1h"),
            (86_399, "23h"),
            (1_209_600, "14d"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }
}
