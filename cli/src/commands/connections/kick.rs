//! `herald connections kick`: closing one connection by its id, or all of a user with an event.

use anyhow::anyhow;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use clap::{ArgGroup, Args};
use herald_shared::ids::{ConnectionId, UserId};
use serde_json::json;

use super::{inspect::is_gone, management};
use crate::{
    failure::{Failure, aws_failure},
    output::{json, line},
    target::Target,
};

/// Close connections: one by its id, or all of a user
///
/// With an ID, the gateway closes the connection at once, without a last frame, and its rows are deleted. Herald's clients
/// treat this as a broken connection and reconnect.
///
/// With --user, herald publishes the event `Disconnect User`. Every connection of the user receives a last frame with the
/// reason and is closed. Herald's clients reconnect only with --reconnect. The command prints the event id and does not
/// wait for the connections to close.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("subject").required(true).args(["connection", "user_id"]),
    after_long_help = "\
Examples:
  herald connections kick PcQeDRO4gIEm4LQ=
  herald connections kick --user alice --reason 'your password was changed'
  herald connections kick --user alice --reconnect"
)]
pub(super) struct Arguments {
    /// Id of the connection
    // An id may begin with a hyphen.
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    connection: Option<ConnectionId>,

    /// Close all connections of this user
    #[arg(long, value_name = "ID", id = "user_id")]
    user: Option<UserId>,

    /// Reason in the last frame
    #[arg(long, value_name = "TEXT", requires = "user_id")]
    reason: Option<String>,

    /// Allow the user's clients to reconnect
    #[arg(long, requires = "user_id")]
    reconnect: bool,

    /// Print one line of JSON with `connectionId` or `eventId`
    #[arg(long)]
    json: bool,
}

/// Closes the connections.
pub(super) async fn run(arguments: &Arguments, target: &Target) -> Result<(), Failure> {
    match (&arguments.connection, &arguments.user) {
        (_, Some(user)) => {
            target.note_without_users();
            arguments.disconnect(user, target).await
        }
        (Some(connection), None) => arguments.close(connection, target).await,
        (None, None) => Err(Failure::usage("pass the id of a connection, or --user")),
    }
}

impl Arguments {
    /// Closes one connection. Fails if the gateway has no such connection.
    async fn close(&self, connection: &ConnectionId, target: &Target) -> Result<(), Failure> {
        let closed = management(target)
            .await?
            .delete_connection()
            .connection_id(connection.as_str())
            .send()
            .await;
        match closed {
            Ok(_) if self.json => json(&json!({"connectionId": connection})),
            Ok(_) => line(format_args!("closed {connection}")),
            Err(error) if is_gone(&error) => {
                Err(anyhow!("connection {connection} is not open").into())
            }
            Err(error) => Err(aws_failure(
                format!("cannot close connection {connection}"),
                error,
            )),
        }
    }

    /// Publishes the event that closes all connections of a user.
    async fn disconnect(&self, user: &UserId, target: &Target) -> Result<(), Failure> {
        let mut detail = json!({"userId": user, "reconnect": self.reconnect});
        if let Some(reason) = &self.reason {
            detail["reason"] = json!(reason);
        }
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(target.addresses.bus()?)
            .source("herald.cli")
            .detail_type("Disconnect User")
            .detail(detail.to_string())
            .build();
        let put = aws_sdk_eventbridge::Client::new(&target.aws().await?)
            .put_events()
            .entries(entry)
            .send()
            .await
            .map_err(|error| aws_failure("cannot publish on the event bus", error))?;
        let entry = put.entries().first();
        match entry.and_then(|entry| entry.event_id()) {
            Some(event_id) if self.json => json(&json!({"eventId": event_id})),
            Some(event_id) => line(event_id),
            None => {
                let reason = entry.and_then(|entry| entry.error_message());
                let reason = reason.unwrap_or("no reason given");
                Err(anyhow!("EventBridge refused the event: {reason}").into())
            }
        }
    }
}
