//! WebSocket clients of a target.

use herald_client::{Client, ConnectError, Options};
use herald_shared::error_chain::error_chain;

use super::{Identity, Target, TokenSource};
use crate::failure::{Failure, attempt_failure, stop_failure};

impl Target {
    /// Connects a client. It reconnects by itself later.
    ///
    /// Fails if the first attempt fails: a user at a terminal wants to know the reason at once.
    pub(crate) async fn connect(&self, identity: &Identity) -> Result<Client, Failure> {
        let options = client_options(identity.tokens(self)?);
        self.connect_with(options).await
    }

    /// Connects a client with `options`, as [`Target::connect`] does.
    pub(crate) async fn connect_with(&self, options: Options) -> Result<Client, Failure> {
        let address = self.addresses.web_socket()?;
        let connected = Client::connect(address, options).await;
        connected.map_err(|error| match error {
            ConnectError::Attempt(error) => attempt_failure(address, &error),
            ConnectError::Stopped(reason) => stop_failure(&reason),
            error => Failure::usage(error_chain(&error)),
        })
    }
}

/// Returns the options of a client that gets its tokens from `tokens`.
pub(crate) fn client_options(tokens: Option<TokenSource>) -> Options {
    let Some(tokens) = tokens else {
        return Options::new();
    };
    Options::new().token(move || {
        let tokens = tokens.clone();
        async move { tokens.token().await.map_err(Failure::into_error) }
    })
}
