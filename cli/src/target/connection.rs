//! Connections to Herald, and who they are let in as.

use std::{env, fmt};

use clap::Args;
use herald_client::{
    AttemptError, Client, ConnectError, ErrorCode, Options, RequestError, StopReason,
};
use herald_shared::in_full::in_full;

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
    as_user: Option<String>,

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
        match (&self.as_user, &target.tokens) {
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
        Ok(options(identity.tokens(self)?))
    }

    /// A client that is connected; later it reconnects by itself.
    ///
    /// Errs if the first attempt fails, which is when a person at a terminal wants to know why.
    pub(crate) async fn connect(&self, identity: &Identity) -> Result<Client, Failure> {
        self.connect_with(self.client_options(identity)?).await
    }

    /// The same with options of the caller's own.
    pub(crate) async fn connect_with(&self, options: Options) -> Result<Client, Failure> {
        let address = self.web_socket()?;
        let connected = Client::connect(address, options).await;
        connected.map_err(|error| match error {
            ConnectError::Attempt(error) => not_connected(address, &error),
            ConnectError::Stopped(reason) => stopped(&reason),
            error => Failure::usage(in_full(&error)),
        })
    }
}

/// How a client gets its tokens from `tokens`, if it needs any.
pub(crate) fn options(tokens: Option<TokenSource>) -> Options {
    let Some(tokens) = tokens else {
        return Options::new();
    };
    Options::new().token(move || {
        let tokens = tokens.clone();
        async move { tokens.token().await.map_err(Failure::into_error) }
    })
}

/// What it means that an attempt to connect to `address` failed.
pub(crate) fn not_connected(address: &str, error: &AttemptError) -> Failure {
    match error {
        AttemptError::Refused { status: 401 } => Failure::refused(format!(
            "{address} lets nobody in without a good token (401): give one with --token, \
             HERALD_TOKEN or --token-command"
        )),
        AttemptError::Refused { status: 403 } => Failure::refused(format!(
            "{address} refuses the connection (403): the address has no such stage, or the token's \
             permissions cannot be understood"
        )),
        AttemptError::Refused { .. } => {
            Failure::unavailable(format!("{address} cannot be connected to: {error}"))
        }
        AttemptError::TimedOut => Failure::unavailable(format!("{address} did not answer in time")),
        AttemptError::Unreachable(cause) => Failure::unavailable(format!(
            "nobody answers at {address}: {}; start the local stack with \
             `cargo run -p herald-local`, or correct --web-socket, --endpoint or --stack",
            in_full(&**cause)
        )),
        error => anyhow::Error::msg(in_full(error)).into(),
    }
}

/// What it means that a client stopped, and will not connect again.
pub(crate) fn stopped(reason: &StopReason) -> Failure {
    match reason {
        StopReason::Refused { .. } | StopReason::Disconnected { .. } => {
            Failure::refused(reason.to_string())
        }
        reason => anyhow::Error::msg(reason.to_string()).into(),
    }
}

/// What it means that the server did not do `what`.
pub(crate) fn not_done(what: impl fmt::Display, error: &RequestError) -> Failure {
    let message = format!("{what}: {}", in_full(error));
    let is_refused = matches!(error, RequestError::Server(error)
        if matches!(error.code(), Some(ErrorCode::Forbidden | ErrorCode::Unauthorized)));
    match error {
        _ if is_refused => Failure::refused(message),
        RequestError::Expired => Failure::unavailable(message),
        _ => anyhow::Error::msg(message).into(),
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
