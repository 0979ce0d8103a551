//! The wire protocol: one JSON object per text frame. Client frames carry `action`, server frames
//! carry `type`, and every request gets exactly one reply.

mod disconnect_code;
mod error_code;
mod history;
mod log_reply;
mod poll;
mod presence;
mod publish;
mod request;
mod send_message;
mod server_frame;
mod subscribe;
mod sync;

pub use disconnect_code::DisconnectCode;
pub use error_code::ErrorCode;
pub use history::{HistoryRequest, LogName};
pub use log_reply::LogReply;
pub use poll::{LONGEST_PAUSE, SHORTEST_PAUSE, poll_after};
pub use presence::{MembersChanged, PresenceFrame, PresenceReply, PresentUser, UserLeft};
pub use publish::{PUBLISH_BYTES, PUBLISH_LIMIT, PublishReply, PublishResult};
pub use request::{Refusal, Request, RequestId};
pub use send_message::{Outgoing, SendMessage};
pub use server_frame::{Ack, ServerFrame};
pub use subscribe::{EntityError, EntityRequest, EntityResult, StartRequest, Subscribe};
pub use sync::{Known, KnownEntities, SyncRequest};

/// The maximum size of one message in either direction, in bytes: API Gateway's own limit.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
pub const MESSAGE_LIMIT: usize = 128 * 1024;

/// The maximum size of a message that names only an entity, in bytes: the longest id with each character
/// escaped, and room for a request id.
pub const ENTITY_REQUEST_LIMIT: usize = 4 * 1024;

/// The maximum size of a `subscribe` or `sync`, which may name a hundred entities, in bytes: API Gateway's
/// limit of a frame.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
pub const SUBSCRIBE_LIMIT: usize = 32 * 1024;

/// The maximum size of an `authenticate`, in bytes: the longest token, and room for a request id.
pub const AUTHENTICATE_LIMIT: usize = 10 * 1024;

/// The maximum number of messages in `messages` of one `sendMessage`.
pub const BATCH_LIMIT: usize = 25;

/// The WebSocket subprotocols that a client may request. The first is Herald's own; clients that send a
/// token as a subprotocol request the second beside it.
pub const SUBPROTOCOLS: [&str; 2] = ["herald.v1", "websocket"];
