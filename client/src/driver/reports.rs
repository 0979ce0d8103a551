//! The driver's reports to the handles of its client.

use tokio::sync::{oneshot, watch};

use super::LastFailure;
use crate::{AttemptError, ConnectError, ConnectionState, Transport};

/// The recipient of the outcome of the first attempt to connect.
pub(crate) type FirstAttempt = oneshot::Sender<Result<(), ConnectError>>;

/// The recipients of all that a driver reports.
pub(crate) struct Reports {
    pub(crate) states: watch::Sender<ConnectionState>,
    pub(crate) transports: watch::Sender<Transport>,
    pub(crate) failure: LastFailure,
    /// `None` if the application does not wait for the first attempt, or knows its outcome.
    pub(crate) first_attempt: Option<FirstAttempt>,
}

impl Reports {
    /// Announces the transport that the client uses from now on.
    pub(super) fn announce_transport(&self, transport: Transport) {
        tracing::debug!(%transport, "the transport changed");
        self.transports.send_replace(transport);
    }

    /// Announces a state, and with it the outcome of the first attempt if that is known now.
    pub(super) fn announce(&mut self, state: ConnectionState) {
        tracing::debug!(?state, "the state of the connection changed");
        let outcome = self.outcome(&state);
        self.states.send_replace(state);
        if let Some(outcome) = outcome
            && let Some(first_attempt) = self.first_attempt.take()
        {
            // Fails only if the application no longer waits.
            let _ = first_attempt.send(outcome);
        }
    }

    /// Returns the outcome of the first attempt, given the state after it. `None` before.
    fn outcome(&self, state: &ConnectionState) -> Option<Result<(), ConnectError>> {
        match state {
            ConnectionState::Connecting => None,
            ConnectionState::Open => Some(Ok(())),
            ConnectionState::Reconnecting { .. } => {
                let failure = self.failure.last().unwrap_or(AttemptError::TimedOut);
                Some(Err(ConnectError::Attempt(failure)))
            }
            ConnectionState::Stopped(reason) => Some(Err(ConnectError::Stopped(reason.clone()))),
        }
    }
}
