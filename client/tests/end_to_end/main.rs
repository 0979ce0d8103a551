//! End-to-end tests of the client: against the local stack with the real functions, and against a scripted
//! server for behaviour that the local stack does not have.
// The large error is the refused handshake, a type of `tungstenite`.
#![allow(clippy::result_large_err, missing_docs, unreachable_pub)]

mod authentication;
mod compatibility;
mod continuity;
mod everyday;
mod examples;
mod faults;
mod first_attempt;
mod harness;
mod presence;
mod proxy;
mod relay;
mod renewal;
mod script;
mod scripted_server;
mod state;
mod tls;
