//! Tests of function URLs with functions that each test scripts, and of whole stacks with URLs.
//!
//! The events and responses are those that LocalStack's tests recorded from AWS, and those of AWS's
//! documentation.

mod callers;
mod cors;
mod events;
pub mod harness;
mod limits;
mod responses;
mod stacks;
