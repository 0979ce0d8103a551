//! The parts of Herald that every crate shares: ids, the wire protocol, the push that travels over the
//! queue, the connection store, the gateway poster and delivery.
//!
//! Nothing here knows a Lambda event. The AWS implementations are behind the feature `aws`, so that a
//! client can share ids and protocol without an AWS crate.

pub mod audience;
pub mod backoff;
pub mod delivery;
pub mod error_chain;
#[cfg(any(test, feature = "fakes"))]
pub mod failure_plan;
pub mod ids;
pub mod log;
pub mod permissions;
pub mod post;
pub mod presence;
pub mod protocol;
pub mod push;
pub mod queue;
pub mod store;
pub mod token_expiry;

#[cfg(feature = "aws")]
pub mod tls;

#[cfg(feature = "aws")]
mod aws_error;
