//! The console: what its page is given, and what it may do.

mod activity;
mod connections;
mod harness;
mod page;
mod queues;
mod visitors;
mod watcher;
