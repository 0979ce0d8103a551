//! Polling over HTTP.

mod harness;
mod logs;
mod requests;
