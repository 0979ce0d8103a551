//! What the gateway says of a connection and of a message on it, parsed once where it comes in.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lambda_events::apigw::{
    ApiGatewayWebsocketProxyRequest, ApiGatewayWebsocketProxyRequestContext,
};
use herald_shared::ids::{ConnectionId, InvalidId};
use tokio::time::Instant;

use crate::caller::{Caller, InvalidContext};

/// One message of a client.
#[derive(Clone, Debug)]
pub struct Message {
    /// The connection it came on.
    pub connection: ConnectionId,
    /// When that connection was opened.
    pub connected_at: SystemTime,
    /// When the gateway received the message.
    pub received_at: SystemTime,
    /// By when the message has to be answered.
    pub answer_by: Instant,
    /// Who sent it.
    pub caller: Caller,
    /// The frame's text.
    pub body: String,
}

/// Why an event cannot be worked with. It never came from the gateway then.
#[derive(Debug, thiserror::Error)]
pub enum InvalidEvent {
    /// There is no `requestContext.connectionId`.
    #[error("the event has no connectionId")]
    NoConnectionId,
    /// The id is none.
    #[error("the event's connectionId")]
    ConnectionId(#[source] InvalidId),
    /// The authorizer's context is none of Herald's.
    #[error("the event's authorizer")]
    Authorizer(#[source] InvalidContext),
}

impl Message {
    /// Reads the gateway's event of a message that has to be answered by `answer_by`.
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

/// The connection an event is about.
pub fn connection_id(
    context: &ApiGatewayWebsocketProxyRequestContext,
) -> Result<ConnectionId, InvalidEvent> {
    let id = context
        .connection_id
        .as_deref()
        .ok_or(InvalidEvent::NoConnectionId)?;
    ConnectionId::new(id).map_err(InvalidEvent::ConnectionId)
}

/// The time that the gateway writes as epoch milliseconds.
pub fn from_epoch_millis(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis.try_into().unwrap_or_default())
}
