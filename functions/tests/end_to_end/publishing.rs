//! Publishing over HTTP.

mod delivery;
mod harness;
mod keys;
mod requests;
