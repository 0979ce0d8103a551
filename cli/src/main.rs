//! `herald`: everything a person does with Herald from a terminal.

mod arguments;
mod commands;
mod failure;
mod output;
mod target;

use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { globals, command } = Arguments::parse();
    let ended = commands::run(command, &globals).await;
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            failure.exit_code()
        }
    }
}
