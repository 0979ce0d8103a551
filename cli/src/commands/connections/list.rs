//! `herald connections list`: the connections of an audience.

use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use herald_shared::{
    audience::{Audience, Range, Recipient, slot},
    ids::{EntityId, UserId},
    store::{ConnectionTable, ReadAudience, StoredConnection},
};
use serde::Serialize;

use super::{expiry_time, read_failure, table, timestamp};
use crate::{
    commands::counted,
    failure::Failure,
    output::{json, line, note},
    target::Target,
};

/// The number of connections that are read concurrently.
const CONCURRENCY: usize = 20;

/// List connections: all of them, or those of a user or an entity
///
/// Prints one connection per line: its id, and with --long also its user, the time at which it connected, its IP address and
/// the number of its subscriptions. The list is read from the table and may contain closed connections: if AWS does not
/// report the end of a connection, its rows stay until the next push to it fails, or for two hours.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  herald connections list
  herald connections list --user alice --long
  herald connections list --entity order-1 --json | jq -r .connectionId")]
pub(super) struct Arguments {
    /// Only connections of this user
    #[arg(long, value_name = "ID", conflicts_with = "entity_id", id = "user_id")]
    user: Option<UserId>,

    /// Only subscribers of this entity
    #[arg(long, value_name = "ID", id = "entity_id")]
    entity: Option<EntityId>,

    /// Largest number of connections to list
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,

    /// Print details, which costs one more read for each connection
    #[arg(long, short)]
    long: bool,

    /// Print one line of JSON for each connection
    #[arg(long)]
    json: bool,
}

/// One line of the output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ConnectionSummary {
    connection_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_expires_at: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

/// The part that --long adds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<String>,
    subscriptions: usize,
}

/// Prints the connections, page by page.
pub(super) async fn run(arguments: &Arguments, target: &Target) -> Result<(), Failure> {
    let table = table(target).await?;
    let audience = arguments.audience();
    let mut remaining = arguments.limit.map_or(usize::MAX, |limit| limit as usize);
    let mut is_empty = true;
    let mut range = Some(Range::WHOLE);
    while let Some(part) = range.filter(|_| remaining > 0) {
        let page = table
            .read_audience(&audience, &part)
            .await
            .map_err(read_failure)?;
        let recipients = page.recipients.into_iter().take(remaining);
        remaining -= recipients.len();
        is_empty &= recipients.len() == 0;
        arguments.print(&table, recipients).await?;
        range = page.read_to.map(|read_to| Range {
            first: slot(&read_to),
            last: Range::WHOLE.last,
            after: Some(read_to),
        });
    }
    if is_empty {
        note("no connections found");
        if arguments.user.is_some() {
            target.note_without_users();
        }
    }
    Ok(())
}

impl Arguments {
    fn audience(&self) -> Audience {
        match (&self.user, &self.entity) {
            (Some(user), _) => Audience::User(user.clone()),
            (None, Some(entity)) => Audience::Entity(entity.clone()),
            (None, None) => Audience::Everyone,
        }
    }

    async fn print(
        &self,
        table: &ConnectionTable,
        recipients: impl Iterator<Item = Recipient>,
    ) -> Result<(), Failure> {
        let mut summaries = stream::iter(recipients)
            .map(async |recipient| self.summary(table, recipient).await)
            .buffered(CONCURRENCY);
        while let Some(summary) = summaries.try_next().await? {
            let Some(summary) = summary else {
                continue;
            };
            if self.json {
                json(&summary)?;
            } else {
                line(text(&summary))?;
            }
        }
        Ok(())
    }

    /// Returns the summary of a connection. `None` if its row was deleted meanwhile.
    async fn summary(
        &self,
        table: &ConnectionTable,
        recipient: Recipient,
    ) -> Result<Option<ConnectionSummary>, Failure> {
        let details = if self.long {
            let stored = table
                .inspect(&recipient.connection)
                .await
                .map_err(read_failure)?;
            match stored {
                Some(stored) => Some(details(stored)),
                None => return Ok(None),
            }
        } else {
            None
        };
        Ok(Some(ConnectionSummary {
            connection_id: recipient.connection.into(),
            token_expires_at: recipient.token_expires_at.and_then(expiry_time),
            details,
        }))
    }
}

fn details(stored: StoredConnection) -> Details {
    Details {
        user_id: stored.user.map(String::from),
        connected_at: Some(timestamp(stored.connected_at)),
        ip_address: stored.ip_address,
        subscriptions: stored.entities.len(),
    }
}

fn text(summary: &ConnectionSummary) -> String {
    let id = &summary.connection_id;
    let Some(details) = &summary.details else {
        return id.clone();
    };
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let subscriptions = counted(details.subscriptions as u64, "subscription");
    format!(
        "{id}  {:<20}  {:<20}  {:<15}  {subscriptions}",
        or_dash(&details.user_id),
        or_dash(&details.connected_at),
        or_dash(&details.ip_address),
    )
}
