//! `herald connections list`: the connections of an audience.

use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use herald_shared::{
    audience::{Audience, Range, Recipient, slot},
    ids::{EntityId, UserId},
    store::{ConnectionTable, ReadAudience, StoredConnection},
};
use serde::Serialize;

use super::{end_of, moment, not_read, table};
use crate::{
    failure::Failure,
    output::{json, line, note},
    target::Target,
};

/// How many connections are looked up at once.
const AT_ONCE: usize = 20;

/// List connections: all of them, or those of a user or an entity
///
/// It prints one connection a line: its id, and with --long its user, since when it is open, its address, and how many
/// entities it is subscribed to. They are those in the table, which may hold some that are gone: a connection
/// whose end nobody was told of is forgotten when a push does not reach it, or after two hours.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  herald connections list
  herald connections list --user alice --long
  herald connections list --entity order-1 --json | jq -r .connectionId")]
pub(super) struct Arguments {
    /// Only those of this user
    #[arg(long, value_name = "ID", conflicts_with = "entity_id", id = "user_id")]
    user: Option<UserId>,

    /// Only those that are subscribed to this entity
    #[arg(long, value_name = "ID", id = "entity_id")]
    entity: Option<EntityId>,

    /// No more than so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,

    /// Print what is stored of each; one read more for each
    #[arg(long, short)]
    long: bool,

    /// Print each as a line of JSON
    #[arg(long)]
    json: bool,
}

/// A connection as it is printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    connection_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_expires_at: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    long: Option<Long>,
}

/// What --long adds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Long {
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
    let mut left = arguments.limit.map_or(usize::MAX, |limit| limit as usize);
    let mut found = false;
    let mut range = Some(Range::WHOLE);
    while let Some(part) = range.filter(|_| left > 0) {
        let page = table
            .read_audience(&audience, &part)
            .await
            .map_err(not_read)?;
        let recipients = page.recipients.into_iter().take(left);
        left -= recipients.len();
        found |= recipients.len() > 0;
        arguments.print(&table, recipients).await?;
        range = page.read_to.map(|read_to| Range {
            first: slot(&read_to),
            last: Range::WHOLE.last,
            after: Some(read_to),
        });
    }
    if !found {
        note("There are none.");
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
        let mut listed = stream::iter(recipients)
            .map(async |recipient| self.listed(table, recipient).await)
            .buffered(AT_ONCE);
        while let Some(listed) = listed.try_next().await? {
            let Some(listed) = listed else {
                continue;
            };
            if self.json {
                json(&listed)?;
            } else {
                line(text(&listed))?;
            }
        }
        Ok(())
    }

    /// A connection as it is printed; none if it was forgotten meanwhile.
    async fn listed(
        &self,
        table: &ConnectionTable,
        recipient: Recipient,
    ) -> Result<Option<Listed>, Failure> {
        let long = if self.long {
            let stored = table
                .inspect(&recipient.connection)
                .await
                .map_err(not_read)?;
            match stored {
                Some(stored) => Some(long(stored)),
                None => return Ok(None),
            }
        } else {
            None
        };
        Ok(Some(Listed {
            connection_id: recipient.connection.into(),
            token_expires_at: recipient.token_expires_at.and_then(end_of),
            long,
        }))
    }
}

fn long(stored: StoredConnection) -> Long {
    Long {
        user_id: stored.user.map(String::from),
        connected_at: Some(moment(stored.connected_at)),
        ip_address: stored.ip_address,
        subscriptions: stored.entities.len(),
    }
}

fn text(listed: &Listed) -> String {
    let id = &listed.connection_id;
    let Some(long) = &listed.long else {
        return id.clone();
    };
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let subscriptions = long.subscriptions;
    format!(
        "{id}  {:<20}  {:<20}  {:<15}  {subscriptions} subscriptions",
        or_dash(&long.user_id),
        or_dash(&long.connected_at),
        or_dash(&long.ip_address),
    )
}
