//! The command line: what every command takes, and which commands there are. What only one command
//! takes is in its own file.

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    bench, completions, connections, cost, dead_letters, publish, send, tail, token,
};

/// Talks to Herald: watches what is pushed, sends, publishes, and looks after a stack.
///
/// Without anything else it talks to herald-local on this machine, at http://127.0.0.1:3030.
/// `--endpoint` names another herald-local, `--stack` a stack that is deployed on AWS.
#[derive(Debug, Parser)]
#[command(name = "herald", version, after_long_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) globals: Globals,

    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed
  2    wrong usage
  3    refused: the token is not good, or does not allow it
  4    not reached: nobody listens there, or nothing came in time
  5    done in part: some succeeded, some failed
  130  interrupted by Ctrl-C

Environment:
  HERALD_ENDPOINT, HERALD_STACK  as --endpoint and --stack, which go before them
  HERALD_TOKEN                   as --token, for the commands that have it
  NO_COLOR                       no colours";

/// What `herald` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Tail(tail::Arguments),
    Send(send::Arguments),
    Publish(publish::Arguments),
    Token(token::Arguments),
    Connections(connections::Arguments),
    #[command(name = "dlq")]
    DeadLetters(dead_letters::Arguments),
    Bench(bench::Arguments),
    Cost(cost::Arguments),
    Completions(completions::Arguments),
}

/// Where Herald is.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Where Herald is")]
pub(crate) struct Globals {
    /// Talk to the herald-local at this address [env: HERALD_ENDPOINT] [default: http://127.0.0.1:3030]
    #[arg(long, global = true, value_name = "URL", conflicts_with = "stack")]
    pub(crate) endpoint: Option<String>,

    /// Talk to this deployed stack: its addresses are those of its outputs in CloudFormation
    /// [env: HERALD_STACK]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) stack: Option<String>,

    /// The AWS Region [default: that of the profile or the environment]
    #[arg(long, global = true, value_name = "REGION")]
    pub(crate) region: Option<String>,

    /// The profile in AWS's configuration files [default: that of the environment]
    #[arg(long, global = true, value_name = "PROFILE")]
    pub(crate) profile: Option<String>,

    #[command(flatten)]
    pub(crate) addresses: Addresses,
}

/// Addresses that are given one by one. They replace those of `--endpoint` or `--stack`; without
/// either, nothing else is looked up.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Single addresses, in place of those of the stack")]
pub(crate) struct Addresses {
    /// Where clients connect
    #[arg(long, global = true, hide_short_help = true, value_name = "URL")]
    pub(crate) web_socket: Option<String>,

    /// The table of connections and subscriptions
    #[arg(long, global = true, hide_short_help = true, value_name = "NAME")]
    pub(crate) table: Option<String>,

    /// The event bus
    #[arg(long, global = true, hide_short_help = true, value_name = "NAME")]
    pub(crate) bus: Option<String>,

    /// The notification queue
    #[arg(long, global = true, hide_short_help = true, value_name = "URL")]
    pub(crate) queue: Option<String>,

    /// The dead-letter queue of the notification queue
    #[arg(long, global = true, hide_short_help = true, value_name = "URL")]
    pub(crate) dead_letter_queue: Option<String>,

    /// The dead-letter queue of the events that did not reach the notification queue
    #[arg(long, global = true, hide_short_help = true, value_name = "URL")]
    pub(crate) events_dead_letter_queue: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory, Parser};

    use super::Arguments;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    /// The command lines in a shell's line: `a=$(herald …) herald … | jq .`
    fn command_lines(line: &str) -> Vec<Vec<String>> {
        let parts = line.split(['|', '>', '(', ')']).map(str::trim);
        parts
            .filter(|part| part.starts_with("herald "))
            .map(|part| shlex::split(part).expect("quotation marks in pairs"))
            .collect()
    }

    /// The help of every command that does something itself, by its name.
    fn helps(command: &mut Command) -> Vec<(String, String)> {
        if command.has_subcommands() {
            let commands = command.get_subcommands_mut();
            return commands.flat_map(helps).collect();
        }
        let help = command.render_long_help().to_string();
        vec![(command.get_name().to_owned(), help)]
    }

    #[test]
    fn every_example_of_the_help_is_understood() {
        for (name, help) in helps(&mut Arguments::command()) {
            let examples = help.split_once("Examples:").map(|(_, examples)| examples);
            let examples = examples.unwrap_or_default().lines();
            let lines: Vec<_> = examples.flat_map(command_lines).collect();
            assert!(!lines.is_empty(), "{name} has no example");
            for line in lines {
                let parsed = Arguments::try_parse_from(&line);
                assert!(parsed.is_ok(), "{line:?}: {}", parsed.expect_err("no"));
            }
        }
    }

    #[test]
    fn every_command_of_the_manual_is_understood() {
        let manual = include_str!("../../docs/cli.md");
        let lines = manual.lines().filter_map(|line| line.strip_prefix("$ "));
        let lines: Vec<_> = lines.flat_map(command_lines).collect();
        assert!(lines.len() > 10, "{}", lines.len());
        for line in lines {
            let parsed = Arguments::try_parse_from(&line);
            assert!(parsed.is_ok(), "{line:?}: {}", parsed.expect_err("no"));
        }
    }
}
