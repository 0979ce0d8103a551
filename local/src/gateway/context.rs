//! The `requestContext` of every event. It is built for each message, so it is a struct that is
//! serialised directly, not a tree of JSON values.

use std::{borrow::Cow, net::IpAddr};

use chrono::Utc;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Gateway, event::ConnectionInfo, id};

/// The context of one event on a connection.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Context<'a> {
    route_key: &'a str,
    event_type: &'static str,
    extended_request_id: String,
    request_time: String,
    message_direction: &'static str,
    stage: &'a str,
    connected_at: i64,
    request_time_epoch: i64,
    identity: Identity<'a>,
    pub(super) request_id: String,
    domain_name: String,
    connection_id: &'a str,
    api_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) authorizer: Option<Cow<'a, Map<String, Value>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) disconnect_status_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) disconnect_reason: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    source_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
}

impl Gateway {
    /// Returns the context of an event that happens now, without the members that only some events
    /// have.
    pub(super) fn context<'a>(
        &'a self,
        info: &'a ConnectionInfo,
        route_key: &'a str,
        event_type: &'static str,
    ) -> Context<'a> {
        let now = Utc::now();
        let request_id = id::new();
        Context {
            route_key,
            event_type,
            extended_request_id: request_id.clone(),
            request_time: now.format("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            message_direction: "IN",
            stage: &self.api.stage,
            connected_at: info.connected_at.timestamp_millis(),
            request_time_epoch: now.timestamp_millis(),
            identity: Identity {
                source_ip: info.source_ip,
                user_agent: info.user_agent.as_deref(),
            },
            request_id,
            domain_name: self.domain_name(),
            connection_id: &info.connection_id,
            api_id: &self.api.api_id,
            authorizer: info.authorizer.as_ref().map(Cow::Borrowed),
            message_id: None,
            disconnect_status_code: None,
            disconnect_reason: None,
        }
    }

    fn domain_name(&self) -> String {
        format!(
            "{}.execute-api.{}.amazonaws.com",
            self.api.api_id, self.region
        )
    }
}
