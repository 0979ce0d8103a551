//! Publishing over HTTP.

mod delivery;
mod harness;
mod keys;
mod requests;

pub use harness::{KEY_ID, Publishing, entry, everything, key};
