//! The wire protocol: one JSON object per text frame. Client frames carry `action`, server frames
//! carry `type`, and every request gets exactly one reply.

mod disconnect_code;
mod error_code;
mod request;
mod send_message;
mod server_frame;
mod subscribe;

pub use disconnect_code::DisconnectCode;
pub use error_code::ErrorCode;
pub use request::{Refusal, Request, RequestId};
pub use send_message::{Outgoing, SendMessage};
pub use server_frame::{Ack, ServerFrame};
pub use subscribe::{EntityError, EntityResult, Subscribe};

/// The most bytes of one message in either direction, API Gateway's own limit.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
pub const MESSAGE_LIMIT: usize = 128 * 1024;

/// The most bytes of a message that names no more than an entity: the longest id, each of its characters
/// escaped, and room for a request id.
pub const ENTITY_REQUEST_LIMIT: usize = 4 * 1024;

/// The most bytes of a `subscribe`, which may name a hundred entities: API Gateway's limit of a frame.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
pub const SUBSCRIBE_LIMIT: usize = 32 * 1024;

/// The most bytes of an `authenticate`: the longest token, and room for a request id.
pub const AUTHENTICATE_LIMIT: usize = 10 * 1024;

/// The most messages one `sendMessage` may carry in `messages`.
pub const BATCH_LIMIT: usize = 25;

/// The WebSocket subprotocols a client may ask for. The first is Herald's own; the second is what
/// clients send that carry a token beside it.
pub const SUBPROTOCOLS: [&str; 2] = ["herald.v1", "websocket"];
