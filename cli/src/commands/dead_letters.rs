//! `herald dlq`: the dead-letter queues. `docs/dead-letters.md` explains how messages get there.

mod letter;
mod list;
mod queue;
mod replay;
mod show;

use clap::{Args, Subcommand, ValueEnum};

use super::until_interrupted;
use crate::{
    failure::Failure,
    target::{Target, TargetArguments},
};
use queue::Queue;

/// List, show and replay messages of the dead-letter queues
///
/// There are two dead-letter queues. `notifications` holds pushes that the notifier could not deliver. `events` holds events
/// that EventBridge could not put on the notification queue. Messages stay for 14 days.
///
/// SQS can only show a message by receiving it, which hides it from other readers. `list` and `show` make messages visible
/// again at once; if herald is killed in between, they become visible after a minute. No message is lost or moved, but each
/// reading raises the receive count by one.
///
/// On AWS, these commands need the permissions sqs:ReceiveMessage, sqs:ChangeMessageVisibility and sqs:GetQueueAttributes on
/// the dead-letter queues. `replay` also needs sqs:DeleteMessage, sqs:StartMessageMoveTask and sqs:ListMessageMoveTasks
/// there, and sqs:SendMessage on the notification queue.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Show(show::Arguments),
    Replay(replay::Arguments),
}

/// The name of a dead-letter queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum QueueName {
    /// Pushes that the notifier could not deliver
    Notifications,
    /// Events that EventBridge could not put on the notification queue
    Events,
}

impl QueueName {
    /// Returns the name as on the command line.
    fn as_str(self) -> &'static str {
        match self {
            Self::Notifications => "notifications",
            Self::Events => "events",
        }
    }
}

/// Runs the subcommand.
pub(crate) async fn run(arguments: &Arguments, target: &TargetArguments) -> Result<(), Failure> {
    until_interrupted(async {
        let target = Target::find(target).await?;
        match &arguments.command {
            Command::List(arguments) => list::run(arguments, &target).await,
            Command::Show(arguments) => show::run(arguments, &target).await,
            Command::Replay(arguments) => replay::run(arguments, &target).await,
        }
    })
    .await
}

/// Returns the named queue, or both without a name.
async fn queues(name: Option<QueueName>, target: &Target) -> Result<Vec<Queue>, Failure> {
    let client = aws_sdk_sqs::Client::new(&target.aws().await?);
    let names = name.map_or(vec![QueueName::Notifications, QueueName::Events], |name| {
        vec![name]
    });
    names
        .into_iter()
        .map(|name| {
            let url = match name {
                QueueName::Notifications => target.addresses.dead_letter_queue(),
                QueueName::Events => target.addresses.events_dead_letter_queue(),
            };
            Ok(Queue::new(client.clone(), name, url?))
        })
        .collect()
}
