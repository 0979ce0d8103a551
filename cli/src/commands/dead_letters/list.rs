//! `herald dlq list`: what is in the dead-letter queues.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use serde::Serialize;

use super::{Name, letter::Letter, queues};
use crate::{
    failure::Failure,
    output::{json, line, note},
    target::Target,
};

/// List what is in the dead-letter queues
///
/// For each message: its id, its queue, its age, how often it was received, whom it was for, and the reason that whoever put
/// it there gave. The reason says after how many attempts the notifier gave up. A message without one failed a
/// notifier five times.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  herald dlq list
  herald dlq list --from notifications --json | jq -r .reason | sort | uniq -c")]
pub(super) struct Arguments {
    /// Only this queue
    #[arg(long, value_name = "QUEUE")]
    from: Option<Name>,

    /// No more than so many of a queue
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,

    /// Print each as a line of JSON
    #[arg(long)]
    json: bool,
}

/// A message as it is printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed<'a> {
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

/// Prints the messages of the queues, one after the other.
pub(super) async fn run(arguments: &Arguments, target: &Target) -> Result<(), Failure> {
    let limit = arguments.limit as usize;
    let mut found = false;
    for queue in queues(arguments.from, target).await? {
        let letters = queue.look(limit).await?;
        found |= !letters.is_empty();
        for letter in &letters {
            if arguments.json {
                json(&Listed::from(letter))?;
            } else {
                line(text(letter, SystemTime::now()))?;
            }
        }
        if letters.len() == limit {
            let name = queue.name.as_str();
            note(format_args!(
                "There may be more in {name}: ask for more with --limit."
            ));
        }
    }
    if !found {
        note("There are none.");
    }
    Ok(())
}

impl<'a> From<&'a Letter> for Listed<'a> {
    fn from(letter: &'a Letter) -> Self {
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
            receive_count: letter.received,
        }
    }
}

fn text(letter: &Letter, now: SystemTime) -> String {
    let age = letter
        .sent_at
        .and_then(|sent| now.duration_since(sent).ok());
    format!(
        "{}  {:<13}  {:>4}  received {}  {}  {}",
        letter.id,
        letter.queue.as_str(),
        age.map_or_else(|| "-".to_owned(), in_words),
        letter.received.unwrap_or_default(),
        letter
            .push
            .as_ref()
            .map_or("no push", |push| push.audience.as_str()),
        letter.reason.as_deref().unwrap_or("no reason given"),
    )
}

/// An age in its largest unit.
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
    fn an_age_is_said_in_its_largest_unit() {
        for (seconds, said) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_599, "59m"),
            (3_600, "1h"),
            (86_399, "23h"),
            (1_209_600, "14d"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), said);
        }
    }
}
