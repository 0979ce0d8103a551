//! Herald's Lambda functions: one module and one binary per function.
//!
//! A module has the function's decisions, as plain code over a store, a queue or a poster; its binary in
//! `src/bin` only connects those to AWS.

pub mod admission;
pub mod answer;
pub mod authenticate;
pub mod authorizer;
pub mod aws;
mod cached;
pub mod caller;
pub mod connect;
pub mod connection_limit;
pub mod default;
pub mod disconnect;
pub mod history;
pub mod http;
pub mod logs;
mod members;
pub mod message;
pub mod metrics;
pub mod notifier;
mod outbox;
pub mod poll;
pub mod presence;
pub mod publish;
pub mod reply;
pub mod send_message;
pub mod subscribe;
pub mod sync;
pub mod tokens;
pub mod unsubscribe;
pub mod wiring;
