//! Tests of test tokens and secrets, over the one port.

pub mod harness;
mod secrets;
mod tokens;
