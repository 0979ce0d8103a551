//! Tests of the gateway with functions that each test scripts.

mod authorizer;
mod authorizer_answers;
mod connecting;
mod disconnecting;
mod events;
pub mod harness;
mod management;
mod messages;
mod not_reading;
mod results;
mod sizes;
mod timers;
