//! WebSocket clients of a target.

use herald_client::{Client, ConnectionState, Options};

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
        let client = Client::start(address, options).map_err(Failure::usage)?;
        let mut states = client.states();
        // Fails only if the client has stopped, and its state says why.
        let _ = states
            .wait_for(|state| *state != ConnectionState::Connecting)
            .await;
        let state = client.state();
        match (state, client.last_failure()) {
            (ConnectionState::Open, _) => Ok(client),
            (ConnectionState::Stopped(reason), _) => Err(stop_failure(&reason)),
            (_, Some(error)) => Err(attempt_failure(address, &error)),
            (_, None) => Err(Failure::unavailable(format!(
                "{address} did not answer in time"
            ))),
        }
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
