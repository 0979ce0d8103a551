//! The command line.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use anyhow::ensure;
use clap::Parser;
use herald_local::{Authentication, Config, Functions, faults::Faults, gateway::Limits};

/// Runs the whole Herald stack on this machine, as template.yaml describes it.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// The port of all services, before those of the function URLs; 0 chooses free ones
    #[arg(long, default_value_t = 3030)]
    pub(crate) port: u16,

    /// The address to listen on. Any address but a loopback one gives the whole network all rights,
    /// such as minting tokens
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(crate) host: IpAddr,

    /// Print all addresses on standard output, as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Keep the tables in this file, which one herald-local uses at a time [default: in memory]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,

    /// The template to run
    #[arg(long, value_name = "FILE", default_value = "template.yaml")]
    template: PathBuf,

    /// A template of your own with AWS::Events::Rules onto the stack's queue, which run beside the
    /// stack; may be repeated
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,

    /// A value for a parameter of the template; may be repeated
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,

    /// The authentication of clients: sets the template's parameters Authentication, TokenIssuer and
    /// TokenAudience, unless --parameter sets them
    #[arg(long = "auth", value_enum, value_name = "MODE", default_value_t)]
    authentication: Authentication,

    /// The log level on standard error: error, warn, info, debug, trace, or a filter such as
    /// herald_local=debug,warn
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub(crate) log: String,

    /// Build the functions with the release profile
    #[arg(long, conflicts_with_all = ["binaries", "functions"])]
    release: bool,

    /// Run the function binaries in this folder instead of building them
    #[arg(long, value_name = "FOLDER", conflicts_with = "functions")]
    binaries: Option<PathBuf>,

    /// Invoke functions that another program runs, through Lambda's Invoke API at this address, e.g.
    /// http://127.0.0.1:9000 for `cargo lambda watch`
    #[arg(long, value_name = "URL")]
    functions: Option<String>,

    /// Stop function processes between invocations, as Lambda does, to reveal work that a function
    /// starts and does not await
    #[arg(long)]
    freeze: bool,

    /// Inject a fault, e.g. gone=0.1 or post-delay=20ms; may be repeated. An unknown name prints the
    /// list of faults, which docs/local.md has as well
    #[arg(long = "fault", value_name = "NAME=VALUE")]
    faults: Vec<String>,
}

impl Arguments {
    /// Returns the configuration of the stack.
    ///
    /// # Errors
    ///
    /// Returns an error for a fault that is unknown, invalid or impossible with the other arguments.
    pub(crate) fn config(self) -> anyhow::Result<Config> {
        let mut faults = Faults::default();
        for fault in &self.faults {
            faults.add(fault).map_err(anyhow::Error::msg)?;
        }
        ensure!(
            self.data.is_none() || faults.expire_rows_every.is_none(),
            "--fault expire-rows expires rows in memory only: remove it, or remove --data"
        );
        let functions = match (self.functions, self.binaries) {
            (Some(url), _) => Functions::Remote(url),
            (None, Some(folder)) => Functions::Prebuilt(folder),
            (None, None) => Functions::Build {
                release: self.release,
            },
        };
        Ok(Config {
            template: self.template,
            rules: self.rules,
            parameters: self.parameters.into_iter().collect(),
            parameter_defaults: herald_local::http_parameters(),
            authentication: self.authentication,
            functions,
            // Port 0 chooses free ports for function URLs, too.
            function_url_port: match self.port {
                0 => 0,
                port => port.saturating_add(1),
            },
            environment: BTreeMap::new(),
            data: self.data,
            limits: Limits::default(),
            freeze: self.freeze,
            faults,
        })
    }
}

fn parameter(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "write it as NAME=VALUE".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
