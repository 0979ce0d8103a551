//! `herald dlq replay`: delivering again what could not be delivered.

use std::{collections::HashSet, time::Duration};

use anyhow::anyhow;
use aws_sdk_sqs::types::ListMessageMoveTasksResultEntry;
use clap::{ArgGroup, Args};
use serde_json::json;
use tokio::time::sleep;

use super::{
    Name,
    queue::{Queue, arn},
    queues,
};
use crate::{
    failure::Failure,
    output::{self, line, note},
    target::{Target, aws_failure},
};

/// How often SQS is asked how far a move has come.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Put dead letters on the notification queue again
///
/// A replay goes to the connections that did not get the push, and with the same event id: it is harmless to whoever is gone or has
/// it. What cannot be delivered now comes back, with a reason.
///
/// --all has SQS move the messages of `notifications` itself; Ctrl-C does not stop it. Those of `events`, and single
/// ones, are sent again one by one and deleted then.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("which").required(true).args(["ids", "all"]),
    after_long_help = "\
Examples:
  herald dlq replay 11f5b1a0-0b9e-4d8a-9a3c-4f4b3a1b2c3d
  herald dlq replay --all
  herald dlq replay --all --from notifications --rate 50

Exit codes of its own:
  5  some of several ids are no dead letters"
)]
pub(super) struct Arguments {
    /// The ids of messages, as `herald dlq list` prints them
    #[arg(value_name = "ID")]
    ids: Vec<String>,

    /// All messages
    #[arg(long)]
    all: bool,

    /// Only this queue
    #[arg(long, value_name = "QUEUE")]
    from: Option<Name>,

    /// How many messages of `notifications` are moved a second, so that they do not crowd out what happens now
    #[arg(long, value_name = "N", default_value_t = 10, conflicts_with = "ids",
          value_parser = clap::value_parser!(i32).range(1..=500))]
    rate: i32,

    /// Print for each queue a line of JSON: `queue` and the number of messages `replayed`
    #[arg(long)]
    json: bool,
}

/// Puts the messages on the notification queue. Errs if there are no such.
pub(super) async fn run(arguments: &Arguments, target: &Target) -> Result<(), Failure> {
    let destination = target.queue()?;
    let queues = queues(arguments.from, target).await?;
    if arguments.all {
        for queue in &queues {
            let replayed = match queue.name {
                Name::Notifications => move_all(queue, destination, arguments.rate).await?,
                Name::Events => resend_all(queue, destination).await?,
            };
            arguments.print(queue, replayed)?;
        }
        return Ok(());
    }
    let ids: HashSet<_> = arguments.ids.iter().map(String::as_str).collect();
    let mut missing = ids.clone();
    for queue in &queues {
        let found = queue.take(&missing).await?;
        for (index, letter) in found.iter().enumerate() {
            if let Err(failure) = queue.resend(letter, destination).await {
                queue.release(&found[index..]).await?;
                return Err(failure);
            }
            missing.remove(letter.id.as_str());
        }
        if !found.is_empty() {
            arguments.print(queue, found.len() as u64)?;
        }
        if missing.is_empty() {
            return Ok(());
        }
    }
    Err(not_found(&missing, ids.len()))
}

impl Arguments {
    fn print(&self, queue: &Queue, replayed: u64) -> Result<(), Failure> {
        let name = queue.name.as_str();
        if self.json {
            output::json(&json!({"queue": name, "replayed": replayed}))
        } else {
            line(format_args!("{replayed} of {name} replayed"))
        }
    }
}

fn not_found(missing: &HashSet<&str>, asked_for: usize) -> Failure {
    let mut ids: Vec<_> = missing.iter().copied().collect();
    ids.sort_unstable();
    let sentence = format!("there are no such dead letters: {}", ids.join(", "));
    if missing.len() < asked_for {
        Failure::partial(sentence)
    } else {
        anyhow!(sentence).into()
    }
}

/// Has SQS move all messages, and waits until it has. Returns how many it moved.
///
/// The destination has to be said: the notifier sends dead letters itself, and SQS does not know from which queue they
/// come.
async fn move_all(queue: &Queue, destination: &str, rate: i32) -> Result<u64, Failure> {
    let source = queue.arn().await?;
    queue
        .client
        .start_message_move_task()
        .source_arn(&source)
        .destination_arn(arn(&queue.client, destination).await?)
        .max_number_of_messages_per_second(rate)
        .send()
        .await
        .map_err(|error| aws_failure("SQS does not begin to move the messages", error))?;
    let mut is_told = false;
    loop {
        let task = latest_move(queue, &source).await?;
        let moved = task.approximate_number_of_messages_moved();
        match task.status() {
            Some("RUNNING") => {
                if !is_told {
                    note("SQS moves the messages; it goes on if you end this.");
                    is_told = true;
                }
                sleep(ASK_EVERY).await;
            }
            Some("COMPLETED") => return Ok(u64::try_from(moved).unwrap_or_default()),
            status => {
                let status = status.unwrap_or("without a status");
                let reason = task.failure_reason().unwrap_or("no reason given");
                return Err(anyhow!(
                    "the move of the messages is {status} after {moved}: {reason}"
                )
                .into());
            }
        }
    }
}

async fn latest_move(
    queue: &Queue,
    source: &str,
) -> Result<ListMessageMoveTasksResultEntry, Failure> {
    let listed = queue
        .client
        .list_message_move_tasks()
        .source_arn(source)
        .max_results(1)
        .send()
        .await
        .map_err(|error| aws_failure("SQS does not say how far the move has come", error))?;
    let latest = listed.results.unwrap_or_default().into_iter().next();
    Ok(latest.ok_or_else(|| anyhow!("SQS knows of no move"))?)
}

/// Sends every message again, one by one. Returns how many.
async fn resend_all(queue: &Queue, destination: &str) -> Result<u64, Failure> {
    let mut replayed = 0;
    queue
        .receive_all(async |letter| {
            queue.resend(&letter, destination).await?;
            replayed += 1;
            Ok(true)
        })
        .await?;
    Ok(replayed)
}
