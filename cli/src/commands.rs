//! The commands, one file each: what a command takes is its `Arguments`, what it does its `run`.

pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod connections;
pub(crate) mod cost;
pub(crate) mod dead_letters;
mod duration;
mod message;
mod outcome;
pub(crate) mod publish;
pub(crate) mod send;
pub(crate) mod tail;
pub(crate) mod token;

use std::time::Duration;

use herald_client::Client;

use crate::{
    arguments::{Command, Globals},
    failure::Failure,
    target::{Identity, Target},
};

/// How long the server may take to hear that we go.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Does what was asked for.
pub(crate) async fn run(command: Command, globals: &Globals) -> Result<(), Failure> {
    match command {
        Command::Tail(arguments) => tail::run(&arguments, globals).await,
        Command::Send(arguments) => send::run(&arguments, globals).await,
        Command::Publish(arguments) => publish::run(&arguments, globals).await,
        Command::Token(arguments) => token::run(&arguments, globals).await,
        Command::Connections(arguments) => connections::run(&arguments, globals).await,
        Command::DeadLetters(arguments) => dead_letters::run(&arguments, globals).await,
        Command::Bench(arguments) => bench::run(&arguments, globals).await,
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
    let client = until_interrupted(target.connect(identity)).await?;
    let ended = until_interrupted(work(&client)).await;
    client.close(CLOSE_WITHIN).await;
    ended
}

/// Does something that Ctrl-C ends where it stands.
async fn until_interrupted<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        ended = work => ended,
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
    }
}
