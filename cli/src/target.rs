//! The target of a command: the addresses of one Herald, and how to connect there.

mod addresses;
mod arguments;
mod aws;
mod connection;
mod http;
mod identity;
mod local;
mod source;
mod stack;
mod tokens;
mod usage;

use std::env;

pub(crate) use arguments::TargetArguments;
pub(crate) use connection::client_options;
pub(crate) use identity::Identity;
pub(crate) use tokens::{MintedToken, TokenRequest, TokenSource, mint};
pub(crate) use usage::Usage;

use crate::failure::Failure;
use addresses::Addresses;
use source::Source;

/// The target of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    /// The endpoint of all AWS services of a herald-local. `None` for AWS itself.
    pub(crate) endpoint: Option<String>,
    region: Option<String>,
    profile: Option<String>,
    pub(crate) addresses: Addresses,
    /// The address at which a herald-local mints tokens.
    pub(crate) tokens: Option<String>,
    /// The tokens that a deployed stack accepts. `None` if unknown.
    pub(crate) accepted_tokens: Option<AcceptedTokens>,
}

/// The tokens that a deployed stack with `Authentication=secret` accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AcceptedTokens {
    /// The ARN of the secret.
    pub(crate) secret: String,
    /// The required claim `iss`, if any.
    pub(crate) issuer: Option<String>,
    /// The required claim `aud`, if any.
    pub(crate) audience: Option<String>,
}

impl Target {
    /// Finds the target that the arguments and the environment name.
    ///
    /// Fails if they contradict each other, or if the addresses cannot be looked up.
    pub(crate) async fn find(arguments: &TargetArguments) -> Result<Self, Failure> {
        let source = Source::choose(arguments, |name| env::var(name).ok())?;
        let mut target = match source {
            Source::Local(endpoint) => local::find(&endpoint).await?,
            Source::Stack(name) => stack::find(&name, arguments).await?,
            Source::Arguments => Self::default(),
        };
        target.region = arguments.region.clone().or(target.region);
        target.profile = arguments.profile.clone();
        target.addresses = arguments.addresses.clone().or(target.addresses);
        Ok(target)
    }
}
