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

pub(crate) use arguments::{TargetArguments, hidden};
pub(crate) use connection::client_options;
pub(crate) use identity::Identity;
pub(crate) use tokens::{MintedToken, TokenRequest, TokenSource, mint};
pub(crate) use usage::Usage;

use crate::{failure::Failure, output};
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
    /// The stack's parameter `Authentication`. `None` if unknown.
    authentication: Option<String>,
    /// The address at which a herald-local mints tokens.
    pub(crate) tokens: Option<String>,
    /// The URL for publishing over HTTP, if the stack has one.
    pub(crate) publish_url: Option<String>,
    /// The ARN of the secret with the API keys, if the stack has one.
    pub(crate) publish_keys: Option<String>,
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

    /// Returns the reason that `--user` names no connection, if the stack is known to be open.
    fn without_users(&self) -> Option<&'static str> {
        let is_open = self.authentication.as_deref() == Some("open");
        is_open.then_some(
            "--user names no connection, because the stack is open and its connections have no user: use a stack \
             with tokens, such as herald-local with --auth jwks or --auth secret",
        )
    }

    /// Fails with [`Failure::Usage`] if connections are known to have no user.
    pub(crate) fn require_users(&self) -> Result<(), Failure> {
        self.without_users()
            .map_or(Ok(()), |reason| Err(Failure::usage(reason)))
    }

    /// Notes that no connection has a user, if that is known.
    pub(crate) fn note_without_users(&self) {
        if let Some(reason) = self.without_users() {
            output::note(reason);
        }
    }
}
