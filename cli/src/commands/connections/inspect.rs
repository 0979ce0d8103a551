//! `herald connections inspect`: one connection in detail.

use std::time::SystemTime;

use aws_sdk_apigatewaymanagement::{
    Client as Management, operation::get_connection::GetConnectionOutput,
};
use clap::Args;
use herald_shared::{audience::LIFETIME, ids::ConnectionId, store::StoredConnection};
use serde::Serialize;

use super::{expiry_time, management, read_failure, table, timestamp};
use crate::{
    failure::{Failure, aws_failure},
    output::{json, line},
    target::Target,
};

/// Show one connection in detail
///
/// The output combines the table and the gateway's @connections. Only one of them may know the connection: rows of a closed
/// connection stay in the table until Herald learns of its end.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  herald connections inspect PcQeDRO4gIEm4LQ=
  herald connections inspect PcQeDRO4gIEm4LQ= --json | jq .entities")]
pub(super) struct Arguments {
    /// Id of the connection
    // An id may begin with a hyphen.
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    connection: ConnectionId,

    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// The output. Times are RFC 3339.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ConnectionDetails {
    connection_id: String,
    /// True if the connection is open at the gateway.
    open: bool,
    #[serde(flatten)]
    gateway: Gateway,
    /// True if the connection is in the table.
    stored: bool,
    #[serde(flatten)]
    table: Table,
}

/// The gateway's part of the output.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Gateway {
    #[serde(skip_serializing_if = "Option::is_none")]
    last_active_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip: Option<String>,
}

/// The table's part of the output.
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

/// Prints the connection. Fails if neither the table nor the gateway knows it.
pub(super) async fn run(arguments: &Arguments, target: &Target) -> Result<(), Failure> {
    let connection = &arguments.connection;
    let (table, management) = (table(target).await?, management(target).await?);
    let stored = table.inspect(connection).await.map_err(read_failure)?;
    let open = ask_gateway(&management, connection).await?;
    if stored.is_none() && open.is_none() {
        return Err(anyhow::anyhow!(
            "connection {connection} does not exist; `herald connections list` prints the ids"
        )
        .into());
    }
    let details = ConnectionDetails {
        connection_id: connection.to_string(),
        open: open.is_some(),
        gateway: open.map(Gateway::from).unwrap_or_default(),
        stored: stored.is_some(),
        table: stored.map(Table::from).unwrap_or_default(),
    };
    if arguments.json {
        json(&details)
    } else {
        details.print()
    }
}

/// Asks the gateway about a connection. `None` if it is not open.
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
        Err(error) => Err(aws_failure(
            format!("cannot look up connection {connection}"),
            error,
        )),
    }
}

/// Returns true if the gateway has no such connection: it responds 410, or 400 if the id is malformed.
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
            last_active_at: last_active_at.map(timestamp),
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
            connected_at: Some(timestamp(stored.connected_at)),
            ip_address: stored.ip_address,
            user_agent: stored.user_agent,
            token_expires_at: stored.token_expires_at.and_then(expiry_time),
            expires_at: Some(timestamp(stored.connected_at + LIFETIME)),
            entities: stored.entities.into_iter().map(String::from).collect(),
        }
    }
}

impl ConnectionDetails {
    fn print(&self) -> Result<(), Failure> {
        let state = match (self.open, self.stored) {
            (true, true) => "open",
            (true, false) => "open, but not in the table: it receives no pushes",
            (false, _) => "closed, but still in the table",
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
        line(format_args!("state          {state}"))?;
        for (name, value) in [
            ("user", user_id),
            ("connected", connected_at),
            ("last active", last_active_at),
            (
                "address",
                source_ip.as_ref().map_or(ip_address, |_| source_ip),
            ),
            ("user agent", user_agent),
            ("token expires", token_expires_at),
            ("rows expire", expires_at),
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
