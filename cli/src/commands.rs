//! The commands, one file each: what a command takes is its `Arguments`, what it does its `run`.

pub(crate) mod completions;

use crate::{
    arguments::{Command, Globals},
    failure::Failure,
};

/// Does what was asked for.
pub(crate) async fn run(command: Command, _globals: &Globals) -> Result<(), Failure> {
    match command {
        Command::Completions(arguments) => completions::run(&arguments),
    }
}

/// Runs a command that Ctrl-C ends where it stands.
async fn until_interrupted(
    command: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    tokio::select! {
        ended = command => ended,
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
    }
}
