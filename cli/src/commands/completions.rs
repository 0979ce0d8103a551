//! `herald completions`: a completion script for a shell.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::{arguments, failure::Failure, output, target};

/// Print a completion script for a shell
#[derive(Args, Debug)]
#[command(args = target::hidden(), after_long_help = "\
Examples:
  herald completions bash > ~/.local/share/bash-completion/completions/herald
  herald completions zsh  > ~/.zfunc/_herald
  herald completions fish > ~/.config/fish/completions/herald.fish")]
pub(crate) struct Arguments {
    /// Shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut script = Vec::new();
    let mut command = arguments::Arguments::command();
    generate(arguments.shell, &mut command, "herald", &mut script);
    output::write(&script)
}
