//! `herald`, the command line tool of Herald.

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
            failure.print();
            failure.exit_code()
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let runtime = Runtime::new()?;
    let result = runtime.block_on(commands::run(arguments.command, &arguments.target));
    // A blocking read of standard input cannot be cancelled, so the runtime must not wait for it.
    runtime.shutdown_background();
    result
}
