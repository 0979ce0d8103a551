//! The flags that say with which token a command connects.

use std::env;

use clap::Args;

use super::{Target, TokenSource};
use crate::failure::Failure;

/// The user for whom a herald-local mints tokens without `--as`.
const DEFAULT_USER: &str = "cli";

/// The flags of the commands that connect as a client.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Identity")]
pub(crate) struct Identity {
    /// Connect as this user: herald-local mints a token with all permissions [default: cli]
    #[arg(long = "as", value_name = "USER", conflicts_with_all = ["token", "token_command"])]
    as_user: Option<String>,

    /// Connect with this token [env: HERALD_TOKEN, which other users of this machine cannot see]
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_command")]
    token: Option<String>,

    /// Connect with the token that this shell command prints; it runs for every attempt to connect
    #[arg(long, value_name = "COMMAND")]
    token_command: Option<String>,
}

impl Identity {
    /// Returns the source of tokens for connections to `target`. `None` if connections need no token.
    ///
    /// Fails with [`Failure::Usage`] if `--as` is given and the target mints no tokens.
    pub(crate) fn tokens(&self, target: &Target) -> Result<Option<TokenSource>, Failure> {
        if let Some(command) = &self.token_command {
            return Ok(Some(TokenSource::Command(command.clone())));
        }
        if let Some(token) = &self.token {
            return Ok(Some(TokenSource::Given(token.clone())));
        }
        match (&self.as_user, &target.tokens) {
            (Some(user), Some(url)) => Ok(Some(minted(url, user))),
            (Some(user), None) => Err(mints_no_tokens(user, target)),
            (None, url) => {
                let token = env::var("HERALD_TOKEN").ok();
                let token = token.filter(|token| !token.is_empty());
                let url = url.as_ref();
                Ok(token
                    .map(TokenSource::Given)
                    .or(url.map(|url| minted(url, DEFAULT_USER))))
            }
        }
    }
}

fn minted(url: &str, user: &str) -> TokenSource {
    TokenSource::Minted {
        url: url.to_owned(),
        user: user.to_owned(),
    }
}

fn mints_no_tokens(user: &str, target: &Target) -> Failure {
    Failure::usage(match &target.endpoint {
        Some(endpoint) => format!(
            "--as {user} needs a token, and the herald-local at {endpoint} mints none: start it with \
             --auth jwks or --auth secret, or omit --as"
        ),
        None => format!(
            "--as {user} works only with herald-local, which mints tokens: use --token or \
             --token-command, or make a token with `herald token`"
        ),
    })
}
