//! `herald connections kick`: ending connections, one by its id, or all of a user by an event.

use anyhow::anyhow;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use clap::Args;
use herald_shared::ids::{ConnectionId, UserId};
use serde_json::json;

use super::{inspect::is_gone, management};
use crate::{
    failure::Failure,
    output::{json, line},
    target::{Target, aws_failure},
};

/// End connections: one by its id, or all of a user
///
/// One by its id is closed at once, without a word, and its rows go with it. A client such as Herald's takes that for a
/// broken connection and comes back.
///
/// With --user the event `Disconnect User` is put on the bus. Every connection of the user gets a last frame with the
/// reason, and is closed; a client comes back only with --reconnect. It prints the event's id, and does not wait
/// until it is done.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  herald connections kick PcQeDRO4gIEm4LQ=
  herald connections kick --user alice --reason 'your password was changed'
  herald connections kick --user alice --reconnect")]
pub(super) struct Arguments {
    /// The connection's id
    #[arg(
        value_name = "ID",
        required_unless_present = "user_id",
        conflicts_with = "user_id"
    )]
    connection: Option<ConnectionId>,

    /// All connections of this user
    #[arg(long, value_name = "ID", id = "user_id")]
    user: Option<UserId>,

    /// What the user's clients are told
    #[arg(long, value_name = "TEXT", requires = "user_id")]
    reason: Option<String>,

    /// The user's clients may come back
    #[arg(long, requires = "user_id")]
    reconnect: bool,

    /// Print one line of JSON: `connectionId`, or `eventId`
    #[arg(long)]
    json: bool,
}

/// Ends what was asked for.
pub(super) async fn run(arguments: &Arguments, target: &Target) -> Result<(), Failure> {
    match (&arguments.connection, &arguments.user) {
        (_, Some(user)) => arguments.disconnect(user, target).await,
        (Some(connection), None) => arguments.close(connection, target).await,
        (None, None) => Err(Failure::usage("give a connection's id, or a --user")),
    }
}

impl Arguments {
    /// Errs if the gateway has no such connection.
    async fn close(&self, connection: &ConnectionId, target: &Target) -> Result<(), Failure> {
        let closed = management(target)
            .await?
            .delete_connection()
            .connection_id(connection.as_str())
            .send()
            .await;
        match closed {
            Ok(_) if self.json => json(&json!({"connectionId": connection})),
            Ok(_) => line(format_args!("{connection} is closed")),
            Err(error) if is_gone(&error) => {
                Err(anyhow!("there is no open connection {connection}").into())
            }
            Err(error) => Err(aws_failure(format!("{connection} is not closed"), error)),
        }
    }

    async fn disconnect(&self, user: &UserId, target: &Target) -> Result<(), Failure> {
        let mut detail = json!({"userId": user, "reconnect": self.reconnect});
        if let Some(reason) = &self.reason {
            detail["reason"] = json!(reason);
        }
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(target.bus()?)
            .source("herald.cli")
            .detail_type("Disconnect User")
            .detail(detail.to_string())
            .build();
        let put = aws_sdk_eventbridge::Client::new(&target.aws().await?)
            .put_events()
            .entries(entry)
            .send()
            .await
            .map_err(|error| aws_failure("EventBridge takes no events", error))?;
        let entry = put.entries().first();
        match entry.and_then(|entry| entry.event_id()) {
            Some(event_id) if self.json => json(&json!({"eventId": event_id})),
            Some(event_id) => line(event_id),
            None => {
                let reason = entry.and_then(|entry| entry.error_message());
                let reason = reason.unwrap_or("no reason given");
                Err(anyhow!("EventBridge did not take the event: {reason}").into())
            }
        }
    }
}
