//! `herald dlq`: what could not be delivered. `docs/dead-letters.md` says how it came there.

mod letter;
mod list;
mod queue;
mod replay;
mod show;

use clap::{Args, Subcommand, ValueEnum};

use super::until_interrupted;
use crate::{arguments::Globals, failure::Failure, target::Target};
use queue::Queue;

/// Look at what could not be delivered, and deliver it again
///
/// There are two dead-letter queues. `notifications` has what the notifier gave up on, `events` what EventBridge could not
/// put on the notification queue. Messages stay there for 14 days.
///
/// SQS has no way to look at a message but to receive it. So looking hides the messages for a minute from others who
/// look, and is over with making them visible again at once; if the command is killed in between, they come back when the minute is
/// over. None is lost or moved by that, however often it is done, but each look raises the messages' receive count by one.
///
/// On AWS it needs sqs:ReceiveMessage, sqs:ChangeMessageVisibility and sqs:GetQueueAttributes on the dead-letter queues,
/// and for a replay sqs:DeleteMessage, sqs:StartMessageMoveTask and sqs:ListMessageMoveTasks there and sqs:SendMessage on
/// the notification queue.
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

/// One of the dead-letter queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// What the notifier gave up on
    Notifications,
    /// What EventBridge could not put on the notification queue
    Events,
}

impl Name {
    /// The name as it is written and printed.
    fn as_str(self) -> &'static str {
        match self {
            Self::Notifications => "notifications",
            Self::Events => "events",
        }
    }
}

/// Does what was asked for.
pub(crate) async fn run(arguments: &Arguments, globals: &Globals) -> Result<(), Failure> {
    until_interrupted(async {
        let target = Target::find(globals).await?;
        match &arguments.command {
            Command::List(arguments) => list::run(arguments, &target).await,
            Command::Show(arguments) => show::run(arguments, &target).await,
            Command::Replay(arguments) => replay::run(arguments, &target).await,
        }
    })
    .await
}

/// The queue that was asked for, or both.
async fn queues(name: Option<Name>, target: &Target) -> Result<Vec<Queue>, Failure> {
    let client = aws_sdk_sqs::Client::new(&target.aws().await?);
    let names = name.map_or(vec![Name::Notifications, Name::Events], |name| vec![name]);
    names
        .into_iter()
        .map(|name| {
            let url = match name {
                Name::Notifications => target.dead_letter_queue(),
                Name::Events => target.events_dead_letter_queue(),
            };
            Ok(Queue::new(client.clone(), name, url?))
        })
        .collect()
}
