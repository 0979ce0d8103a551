//! The commands, one file each. The `Arguments` of a file are the command's flags, and `run` does its work.

mod bench;
mod completions;
mod connections;
mod cost;
mod dead_letters;
mod duration;
mod history;
mod key;
mod live;
mod log;
mod message;
mod permissions;
mod presence;
mod publish;
mod send;
mod tail;
mod tally;
mod token;

use std::time::Duration;

use clap::Subcommand;
use herald_client::Client;

use crate::{
    failure::Failure,
    target::{Identity, Target, TargetArguments},
};

/// The longest time that closing a connection may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A command with its flags.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Tail(tail::Arguments),
    History(history::Arguments),
    Presence(presence::Arguments),
    Send(send::Arguments),
    Publish(publish::Arguments),
    Token(token::Arguments),
    Key(key::Arguments),
    Connections(connections::Arguments),
    #[command(name = "dlq")]
    DeadLetters(dead_letters::Arguments),
    Bench(bench::Arguments),
    Cost(cost::Arguments),
    Completions(completions::Arguments),
}

/// Runs a command.
pub(crate) async fn run(command: Command, target: &TargetArguments) -> Result<(), Failure> {
    match command {
        Command::Tail(arguments) => tail::run(&arguments, target).await,
        Command::History(arguments) => history::run(&arguments, target).await,
        Command::Presence(arguments) => presence::run(&arguments, target).await,
        Command::Send(arguments) => send::run(&arguments, target).await,
        Command::Publish(arguments) => publish::run(&arguments, target).await,
        Command::Token(arguments) => token::run(&arguments, target).await,
        Command::Key(arguments) => key::run(&arguments, target).await,
        Command::Connections(arguments) => connections::run(&arguments, target).await,
        Command::DeadLetters(arguments) => dead_letters::run(&arguments, target).await,
        Command::Bench(arguments) => bench::run(&arguments, target).await,
        Command::Cost(arguments) => cost::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}

/// Connects to the target, works until the work is done or Ctrl-C ends it, and closes the connection.
async fn with_client(
    target: &Target,
    identity: &Identity,
    work: impl AsyncFnOnce(&Client) -> Result<(), Failure>,
) -> Result<(), Failure> {
    connected(target, identity, async |client| {
        until_interrupted(work(client)).await
    })
    .await
}

/// Connects to the target, works until the work is done, and closes the connection. The work handles Ctrl-C itself.
async fn connected(
    target: &Target,
    identity: &Identity,
    work: impl AsyncFnOnce(&Client) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let client = until_interrupted(target.connect(identity)).await?;
    let result = work(&client).await;
    client.close(CLOSE_TIMEOUT).await;
    result
}

/// Works until the work is done, or until Ctrl-C cancels it.
async fn until_interrupted<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        result = work => result,
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
    }
}

/// Counts things in words: `1 subscription`, `2 subscriptions`.
fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn noun_is_plural_except_for_one() {
        for (count, words) in [(0, "0 messages"), (1, "1 message"), (2, "2 messages")] {
            assert_eq!(counted(count, "message"), words);
        }
    }
}
