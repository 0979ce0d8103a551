//! The gateway's data about a connection and a message on it, parsed once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lambda_events::apigw::{
    ApiGatewayWebsocketProxyRequest, ApiGatewayWebsocketProxyRequestContext,
};
use aws_sdk_sqs::primitives::{DateTime, DateTimeFormat};
use herald_shared::ids::{ConnectionId, InvalidId};
use tokio::time::Instant;

use crate::caller::{Caller, InvalidContext};

/// One message of a client.
#[derive(Clone, Debug)]
pub struct Message {
    /// The connection.
    pub connection: ConnectionId,
    /// The time that connection was opened.
    pub connected_at: SystemTime,
    /// The time the gateway received the message.
    pub received_at: SystemTime,
    /// The deadline for the answer.
    pub answer_by: Instant,
    /// The sender.
    pub caller: Caller,
    /// The frame's text.
    pub body: String,
}

/// The reason an event is invalid. Such an event is not from the gateway.
#[derive(Debug, thiserror::Error)]
pub enum InvalidEvent {
    /// There is no `requestContext.connectionId`.
    #[error("the event has no connectionId")]
    NoConnectionId,
    /// The id is invalid.
    #[error("the event's connectionId is invalid")]
    ConnectionId(#[source] InvalidId),
    /// The authorizer's context is invalid.
    #[error("the event's authorizer context is invalid")]
    Authorizer(#[source] InvalidContext),
}

impl Message {
    /// Reads the gateway's event of a message that must be answered before `answer_by`.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidEvent`] if the event is not from the gateway.
    pub fn read(
        event: ApiGatewayWebsocketProxyRequest,
        answer_by: Instant,
    ) -> Result<Self, InvalidEvent> {
        Ok(Self {
            connection: connection_id(&event.request_context)?,
            connected_at: from_epoch_millis(event.request_context.connected_at),
            received_at: from_epoch_millis(event.request_context.request_time_epoch),
            answer_by,
            caller: Caller::from_context(&event.request_context.authorizer.fields)
                .map_err(InvalidEvent::Authorizer)?,
            body: event.body.unwrap_or_default(),
        })
    }
}

/// Returns the connection of an event.
///
/// # Errors
///
/// Returns [`InvalidEvent`] if the event is not from the gateway.
pub fn connection_id(
    context: &ApiGatewayWebsocketProxyRequestContext,
) -> Result<ConnectionId, InvalidEvent> {
    let id = context
        .connection_id
        .as_deref()
        .ok_or(InvalidEvent::NoConnectionId)?;
    ConnectionId::new(id).map_err(InvalidEvent::ConnectionId)
}

/// Returns the time for the gateway's epoch milliseconds.
pub fn from_epoch_millis(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis.try_into().unwrap_or_default())
}

/// Returns a time of the gateway's clock as RFC 3339.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    DateTime::from(time)
        .fmt(DateTimeFormat::DateTime)
        .expect("the gateway's clock is within the years RFC 3339 can write")
}
