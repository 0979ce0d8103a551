//! The command line as a whole.
//!
//! The flags of every command are in `target/arguments.rs` (`--endpoint`, `--stack` and single addresses).
//! `--as`, `--token` and `--token-command` are in `target/identity.rs`, for the commands that connect as a
//! client. All others are in the file of their command.

use clap::Parser;

use crate::{commands::Command, target::TargetArguments};

/// Talk to Herald: watch pushes, send and publish messages, and operate a stack
///
/// By default, herald talks to herald-local on this machine, at http://127.0.0.1:3030. Use `--endpoint` for another
/// herald-local and `--stack` for a stack that is deployed on AWS.
#[derive(Debug, Parser)]
#[command(name = "herald", version, after_long_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) target: TargetArguments,

    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    success
  1    failure
  2    wrong usage
  3    refused: the token or the AWS credentials are invalid, or do not allow the operation
  4    unavailable: the server cannot be reached, or a reply or push did not arrive in time
  5    partial success: some items succeeded and some failed
  130  interrupted with Ctrl-C

Environment:
  HERALD_ENDPOINT, HERALD_STACK  defaults of --endpoint and --stack
  HERALD_TOKEN                   default of --token, for the commands that have it
  HERALD_KEY                     default of --key of publish
  NO_COLOR                       disables colours";

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory, Parser};

    use super::Arguments;

    #[test]
    fn clap_accepts_the_definition_of_the_command_line() {
        Arguments::command().debug_assert();
    }

    /// Returns the `herald` commands in a line of shell: `a=$(herald …) herald … | jq .`
    fn command_lines(line: &str) -> Vec<Vec<String>> {
        let parts = line.split(['|', '>', '(', ')']).map(str::trim);
        parts
            .filter(|part| part.starts_with("herald "))
            .map(|part| shlex::split(part).expect("balanced quotation marks"))
            .collect()
    }

    /// Returns the name and the help of every command without subcommands.
    fn helps(command: &mut Command) -> Vec<(String, String)> {
        if command.has_subcommands() {
            let commands = command.get_subcommands_mut();
            return commands.flat_map(helps).collect();
        }
        let help = command.render_long_help().to_string();
        vec![(command.get_name().to_owned(), help)]
    }

    #[test]
    fn connection_id_may_begin_with_a_hyphen() {
        for id in ["-wGfNnq15zHoRnM=", "--GfNnq15zHoRnM="] {
            for command in ["inspect", "kick"] {
                let line = ["herald", "connections", command, id, "--json"];
                Arguments::try_parse_from(line).unwrap_or_else(|error| panic!("{id}: {error}"));
            }
        }
    }

    #[test]
    fn every_example_in_the_help_parses() {
        for (name, help) in helps(&mut Arguments::command()) {
            let examples = help.split_once("Examples:").map(|(_, examples)| examples);
            let examples = examples.unwrap_or_default().lines();
            let lines: Vec<_> = examples.flat_map(command_lines).collect();
            assert!(!lines.is_empty(), "{name} has no example");
            for line in lines {
                let parsed = Arguments::try_parse_from(&line);
                assert!(
                    parsed.is_ok(),
                    "{line:?}: {}",
                    parsed.expect_err("an error")
                );
            }
        }
    }

    #[test]
    fn every_example_in_the_manual_parses() {
        let manual = include_str!("../../docs/cli.md");
        let lines = manual.lines().filter_map(|line| line.strip_prefix("$ "));
        let lines: Vec<_> = lines.flat_map(command_lines).collect();
        assert!(lines.len() > 10, "{}", lines.len());
        for line in lines {
            let parsed = Arguments::try_parse_from(&line);
            assert!(
                parsed.is_ok(),
                "{line:?}: {}",
                parsed.expect_err("an error")
            );
        }
    }
}
