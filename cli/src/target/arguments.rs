//! The flags that select the Herald of a command.

use clap::{Arg, Args, Command};

use super::Addresses;

/// The flags that every command has.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Target")]
pub(crate) struct TargetArguments {
    /// Address of a herald-local [env: HERALD_ENDPOINT] [default: http://127.0.0.1:3030]
    #[arg(long, global = true, value_name = "URL", conflicts_with = "stack")]
    pub(super) endpoint: Option<String>,

    /// Name of a deployed stack, whose addresses are its outputs in CloudFormation [env: HERALD_STACK]
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) stack: Option<String>,

    /// AWS Region [default: that of the profile or the environment]
    #[arg(long, global = true, value_name = "REGION")]
    pub(super) region: Option<String>,

    /// Profile in the AWS configuration files [default: that of the environment]
    #[arg(long, global = true, value_name = "PROFILE")]
    pub(super) profile: Option<String>,

    #[command(flatten)]
    pub(super) addresses: Addresses,
}

/// Returns the flags that every command has, hidden, for the help of a command that needs no target.
pub(crate) fn hidden() -> Vec<Arg> {
    let flags = TargetArguments::augment_args(Command::new("herald"));
    let hidden = flags.get_arguments().map(|flag| flag.clone().hide(true));
    hidden.collect()
}
