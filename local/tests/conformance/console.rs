//! Tests of the console: its page, its requests, and access to them.

mod activity;
mod connections;
pub mod harness;
mod page;
mod queues;
pub mod watcher;
