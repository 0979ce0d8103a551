//! `herald connections inspect`: everything about one connection.

use std::time::SystemTime;

use aws_sdk_apigatewaymanagement::{
    Client as Management, operation::get_connection::GetConnectionOutput,
};
use clap::Args;
use herald_shared::{audience::LIFETIME, ids::ConnectionId, store::StoredConnection};
use serde::Serialize;

use super::{end_of, management, moment, not_read, table};
use crate::{
    failure::Failure,
    output::{json, line},
    target::{Target, aws_failure},
};

/// Show everything about a connection
///
/// What is stored of it is from the table, what the gateway knows from @connections. One may know it and the other not:
/// a connection that is gone stays in the table until somebody notices.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  herald connections inspect PcQeDRO4gIEm4LQ=
  herald connections inspect PcQeDRO4gIEm4LQ= --json | jq .entities")]
pub(super) struct Arguments {
    /// The connection's id
    #[arg(value_name = "ID")]
    connection: ConnectionId,

    /// Print it as one line of JSON
    #[arg(long)]
    json: bool,
}

/// A connection as it is printed. Moments are RFC 3339.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Inspected {
    connection_id: String,
    /// Whether the gateway holds it.
    open: bool,
    #[serde(flatten)]
    gateway: Gateway,
    /// Whether the table has it.
    stored: bool,
    #[serde(flatten)]
    table: Table,
}

/// What the gateway knows.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Gateway {
    #[serde(skip_serializing_if = "Option::is_none")]
    last_active_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip: Option<String>,
}

/// What the table knows.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Table {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    entities: Vec<String>,
}

/// Prints the connection. Errs if neither the table nor the gateway knows it.
pub(super) async fn run(arguments: &Arguments, target: &Target) -> Result<(), Failure> {
    let connection = &arguments.connection;
    let (table, management) = (table(target).await?, management(target).await?);
    let stored = table.inspect(connection).await.map_err(not_read)?;
    let open = ask_gateway(&management, connection).await?;
    if stored.is_none() && open.is_none() {
        return Err(anyhow::anyhow!("there is no connection {connection}").into());
    }
    let inspected = Inspected {
        connection_id: connection.to_string(),
        open: open.is_some(),
        gateway: open.map(Gateway::from).unwrap_or_default(),
        stored: stored.is_some(),
        table: stored.map(Table::from).unwrap_or_default(),
    };
    if arguments.json {
        json(&inspected)
    } else {
        inspected.print()
    }
}

/// What the gateway says of a connection; none if it holds no such.
async fn ask_gateway(
    management: &Management,
    connection: &ConnectionId,
) -> Result<Option<GetConnectionOutput>, Failure> {
    let asked = management
        .get_connection()
        .connection_id(connection.as_str())
        .send()
        .await;
    match asked {
        Ok(open) => Ok(Some(open)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(aws_failure("the gateway says nothing of it", error)),
    }
}

/// 410, and 400 for an id that is none: the gateway has no such connection.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>
pub(super) fn is_gone<E>(error: &aws_sdk_apigatewaymanagement::error::SdkError<E>) -> bool {
    let status = error
        .raw_response()
        .map(|response| response.status().as_u16());
    matches!(status, Some(400 | 410))
}

impl From<GetConnectionOutput> for Gateway {
    fn from(open: GetConnectionOutput) -> Self {
        let last_active_at = open
            .last_active_at()
            .and_then(|at| SystemTime::try_from(*at).ok());
        Self {
            last_active_at: last_active_at.map(moment),
            source_ip: open
                .identity()
                .and_then(|identity| identity.source_ip())
                .map(str::to_owned),
        }
    }
}

impl From<StoredConnection> for Table {
    fn from(stored: StoredConnection) -> Self {
        Self {
            user_id: stored.user.map(String::from),
            connected_at: Some(moment(stored.connected_at)),
            ip_address: stored.ip_address,
            user_agent: stored.user_agent,
            token_expires_at: stored.token_expires_at.and_then(end_of),
            expires_at: Some(moment(stored.connected_at + LIFETIME)),
            entities: stored.entities.into_iter().map(String::from).collect(),
        }
    }
}

impl Inspected {
    fn print(&self) -> Result<(), Failure> {
        let known = match (self.open, self.stored) {
            (true, true) => "open",
            (true, false) => "open, but not in the table: nothing is pushed to it",
            (false, _) => "gone, but still in the table",
        };
        let Table {
            user_id,
            connected_at,
            ip_address,
            user_agent,
            token_expires_at,
            expires_at,
            entities,
        } = &self.table;
        let Gateway {
            last_active_at,
            source_ip,
        } = &self.gateway;
        line(format_args!("connection     {}", self.connection_id))?;
        line(format_args!("state          {known}"))?;
        for (name, value) in [
            ("user", user_id),
            ("connected at", connected_at),
            ("last active at", last_active_at),
            (
                "address",
                source_ip.as_ref().map_or(ip_address, |_| source_ip),
            ),
            ("user agent", user_agent),
            ("token ends at", token_expires_at),
            ("rows go at", expires_at),
        ] {
            if let Some(value) = value {
                line(format_args!("{name:<15}{value}"))?;
            }
        }
        for (index, entity) in entities.iter().enumerate() {
            let name = if index == 0 { "subscribed to" } else { "" };
            line(format_args!("{name:<15}{entity}"))?;
        }
        Ok(())
    }
}
