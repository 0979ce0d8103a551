//! Events about connections and subscriptions for the user's own backend, opt-in by the parameter
//! `BackendEvents`.
//!
//! - A change is noted by the write that makes it ([`WatchedRows`]), and put on the bus at the end of the
//!   invocation, before the function answers.
//! - Events that the bus does not accept within two seconds go to the notification queue, from which the
//!   notifier puts them with its retries and, in the end, its dead-letter queue. So a failing bus delays an
//!   answer and fails none.
//! - Events that neither accepts stay in the process for its next invocation.
//! - The detail-types are none of those that the stack's own rule matches, so no event comes back.

mod announcer;
mod event;
mod notes;
mod policy;
#[cfg(test)]
pub(crate) mod scripted;
#[cfg(test)]
mod tests;
mod watched_rows;

pub use announcer::Announcer;
pub use event::End;
pub(crate) use event::from_queue_body;
pub use policy::{BackendEvents, InvalidBackendEvents};
pub use watched_rows::WatchedRows;
