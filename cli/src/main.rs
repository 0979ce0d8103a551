//! `herald`: everything a person does with Herald from a terminal.

mod arguments;
mod commands;
mod failure;
mod output;
mod target;

use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;
use failure::Failure;
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            failure.exit_code()
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let runtime = Runtime::new()?;
    let ended = runtime.block_on(commands::run(arguments.command, &arguments.globals));
    // Standard input may still be read, and that cannot be stopped.
    runtime.shutdown_background();
    ended
}
