//! The client, end to end: against the local stack with the real functions, and against a server that
//! follows a script where the local stack would not do as we like.
// The large error is the refused handshake, whose type is the library's.
#![allow(clippy::result_large_err, missing_docs, unreachable_pub)]

mod authentication;
mod everyday;
mod faults;
mod harness;
mod proxy;
mod renewal;
mod script;
mod scripted_server;
mod tls;
