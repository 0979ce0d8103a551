//! The console: what its page is given, and what it may do.

mod activity;
mod connections;
pub mod harness;
mod page;
mod queues;
mod visitors;
pub mod watcher;
