//! wip
mod error;
mod machine;
mod options;
mod push;
mod reply;
mod state;

pub use error::{GatewayError, GatewayErrorKind, RequestError, ServerError};
pub use options::WhenFull;
pub use push::Push;
pub use reply::Reply;
pub use state::{ConnectionState, StopReason};
