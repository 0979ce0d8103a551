//! `herald dlq replay`: moving dead letters back to the notification queue.

use std::{collections::HashSet, time::Duration};

use anyhow::anyhow;
use aws_sdk_sqs::types::ListMessageMoveTasksResultEntry;
use clap::{ArgGroup, Args};
use serde_json::json;
use tokio::time::sleep;

use super::{
    QueueName,
    queue::{Queue, arn},
    queues,
};
use crate::{
    commands::counted,
    failure::{Failure, aws_failure},
    output::{self, line, note},
    target::Target,
};

/// The interval at which SQS is asked for the progress of a move.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Put dead letters back on the notification queue
///
/// A replayed push goes to the connections that did not receive it, with the same event id, so that clients drop repeats. A
/// message of a rule of yours needs an `idempotencyKey` for that. A push that cannot be delivered now returns to the
/// dead-letter queue, with a reason.
///
/// With --all, SQS itself moves the messages of `notifications`, and Ctrl-C does not stop the move. Messages of `events`
/// and single messages are sent one by one, and each is deleted once it is sent.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("which").required(true).args(["ids", "all"]),
    after_long_help = "\
Examples:
  herald dlq replay 11f5b1a0-0b9e-4d8a-9a3c-4f4b3a1b2c3d
  herald dlq replay --all
  herald dlq replay --all --from notifications --rate 50

Exit codes (`herald --help` lists all):
  5  some of the ids are not in the dead-letter queues"
)]
pub(super) struct Arguments {
    /// Ids of messages, as `herald dlq list` prints them
    #[arg(value_name = "ID")]
    ids: Vec<String>,

    /// Replay all messages
    #[arg(long)]
    all: bool,

    /// Only this queue
    #[arg(long, value_name = "QUEUE")]
    from: Option<QueueName>,

    /// Messages of `notifications` that are moved per second; a low rate leaves capacity for new pushes
    #[arg(long, value_name = "N", default_value_t = 10, conflicts_with = "ids",
          value_parser = clap::value_parser!(i32).range(1..=500))]
    rate: i32,

    /// Print one line of JSON for each queue: `queue` and the number of messages `replayed`
    #[arg(long)]
    json: bool,
}

/// Replays the messages. Fails if some ids are not found.
pub(super) async fn run(arguments: &Arguments, target: &Target) -> Result<(), Failure> {
    let destination = target.addresses.queue()?;
    let queues = queues(arguments.from, target).await?;
    if arguments.all {
        for queue in &queues {
            let replayed = match queue.name {
                QueueName::Notifications => move_all(queue, destination, arguments.rate).await?,
                QueueName::Events => resend_all(queue, destination).await?,
            };
            arguments.print(queue, replayed)?;
        }
        return Ok(());
    }
    let ids: HashSet<_> = arguments.ids.iter().map(String::as_str).collect();
    let mut missing = ids.clone();
    for queue in &queues {
        let found = queue.receive_ids(&missing).await?;
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
            line(format_args!(
                "{name}: {} replayed",
                counted(replayed, "message")
            ))
        }
    }
}

fn not_found(missing: &HashSet<&str>, asked_for: usize) -> Failure {
    let mut ids: Vec<_> = missing.iter().copied().collect();
    ids.sort_unstable();
    let noun = if ids.len() == 1 { "id" } else { "ids" };
    let sentence = format!(
        "{noun} not found in the dead-letter queues: {}",
        ids.join(", ")
    );
    if missing.len() < asked_for {
        Failure::partial(sentence)
    } else {
        anyhow!(sentence).into()
    }
}

/// Lets SQS move all messages, and waits for the end of the move. Returns the number of moved messages.
///
/// The destination is explicit because the notifier sends dead letters itself: SQS does not know their source queue.
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
        .map_err(|error| aws_failure("cannot start the move of the messages", error))?;
    let mut is_noted = false;
    loop {
        let task = latest_move(queue, &source).await?;
        let moved = task.approximate_number_of_messages_moved();
        match task.status() {
            Some("RUNNING") => {
                if !is_noted {
                    note("SQS is moving the messages; Ctrl-C does not stop the move");
                    is_noted = true;
                }
                sleep(POLL_INTERVAL).await;
            }
            Some("COMPLETED") => return Ok(u64::try_from(moved).unwrap_or_default()),
            status => {
                let status = status.unwrap_or("unknown");
                let reason = task.failure_reason().unwrap_or("no reason given");
                return Err(anyhow!(
                    "the move of the messages ended with status {status} after {}: {reason}",
                    counted(u64::try_from(moved).unwrap_or_default(), "message")
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
        .map_err(|error| aws_failure("cannot look up the progress of the move", error))?;
    let latest = listed.results.unwrap_or_default().into_iter().next();
    Ok(latest.ok_or_else(|| anyhow!("SQS does not list the move of the messages"))?)
}

/// Sends every message again, one by one. Returns the number of messages.
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
