//! Reports about a connection and its subscriptions while a command follows them.

use herald_client::{Client, ConnectionState, SubscriptionError};
use herald_shared::{error_chain::error_chain, protocol::LogName};

use super::log::words;
use crate::{
    failure::{Failure, request_failure, stop_failure},
    output::note,
};

/// Reports the error of a subscription. Fails if the subscription has ended.
pub(super) fn report_error(
    log: &LogName,
    error: SubscriptionError,
    client: &Client,
) -> Result<(), Failure> {
    let name = words(log);
    match (client.state(), error) {
        (ConnectionState::Stopped(reason), _) => Err(stop_failure(&reason)),
        (_, SubscriptionError::Ended(error)) => Err(request_failure(
            format_args!("the subscription to {name} ended"),
            &error,
        )),
        (_, lagged) => {
            note(format_args!("{name}: {lagged}"));
            Ok(())
        }
    }
}

/// Reports the state of the connection. Fails if the client has stopped for good.
pub(super) fn report_state(client: &Client) -> Result<(), Failure> {
    match client.state() {
        ConnectionState::Stopped(reason) => return Err(stop_failure(&reason)),
        ConnectionState::Reconnecting { delay, .. } => {
            let reason = client.last_failure();
            let reason = reason.map_or_else(
                || "the connection broke".to_owned(),
                |reason| error_chain(&reason),
            );
            let delay = delay.unwrap_or_default().as_secs_f64();
            note(format_args!("{reason}; reconnecting in {delay:.1} s"));
        }
        ConnectionState::Open => note("reconnected"),
        _ => {}
    }
    Ok(())
}
