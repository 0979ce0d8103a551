//! Connections to Herald, and who they are let in as.

use std::env;

use clap::Args;
use herald_client::{Client, Options};

use super::{Target, TokenSource};
use crate::failure::Failure;

/// Whom a herald-local mints tokens for that nobody asked to be another.
const USER: &str = "cli";

/// Who a connection is.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Who you are")]
pub(crate) struct Identity {
    /// Be this user of a herald-local that wants tokens: it mints one, with all permissions
    #[arg(long = "as", value_name = "USER", conflicts_with_all = ["token", "token_command"])]
    user: Option<String>,

    /// Connect with this token [env: HERALD_TOKEN, which others on this machine cannot see]
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_command")]
    token: Option<String>,

    /// Connect with what this shell command prints; it is run for every attempt to connect
    #[arg(long, value_name = "COMMAND")]
    token_command: Option<String>,
}

impl Identity {
    /// Where the tokens for connections to `target` come from; none: connections need none.
    ///
    /// Errs if the target cannot mint a token for the user that is asked for.
    pub(crate) fn tokens(&self, target: &Target) -> Result<Option<TokenSource>, Failure> {
        if let Some(command) = &self.token_command {
            return Ok(Some(TokenSource::Command(command.clone())));
        }
        if let Some(token) = &self.token {
            return Ok(Some(TokenSource::Given(token.clone())));
        }
        match (&self.user, &target.tokens) {
            (Some(user), Some(url)) => Ok(Some(minted(url, user))),
            (Some(user), None) => Err(cannot_be(user, target)),
            (None, url) => {
                let token = env::var("HERALD_TOKEN").ok();
                let token = token.filter(|token| !token.is_empty());
                let url = url.as_ref();
                Ok(token
                    .map(TokenSource::Given)
                    .or(url.map(|url| minted(url, USER))))
            }
        }
    }
}

impl Target {
    /// How a client of this target gets its tokens; all else is as `herald_client` has it.
    pub(crate) fn client_options(&self, identity: &Identity) -> Result<Options, Failure> {
        let Some(tokens) = identity.tokens(self)? else {
            return Ok(Options::new());
        };
        Ok(Options::new().token(move || {
            let tokens = tokens.clone();
            async move { tokens.token().await.map_err(Failure::into_error) }
        }))
    }

    /// A client that is connected. Later it reconnects by itself, but if it is not let in now, or not
    /// reached, it errs.
    pub(crate) async fn connect(&self, identity: &Identity) -> Result<Client, Failure> {
        let options = self.client_options(identity)?;
        Ok(Client::connect(self.web_socket()?, options).await?)
    }
}

fn minted(url: &str, user: &str) -> TokenSource {
    TokenSource::Minted {
        url: url.to_owned(),
        user: user.to_owned(),
    }
}

fn cannot_be(user: &str, target: &Target) -> Failure {
    Failure::usage(match &target.endpoint {
        Some(_) => format!(
            "nobody is {user} there: that herald-local asks nobody who they are, or takes tokens of \
             another issuer; start it with --auth jwks or --auth secret, or leave out --as"
        ),
        None => "--as is for herald-local, which mints tokens: say --token or --token-command, or \
                 make a token with `herald token`"
            .to_owned(),
    })
}
