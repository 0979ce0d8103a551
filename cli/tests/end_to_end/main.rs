//! End-to-end tests of the command line tool: the real binary against the local stack with the real functions.
#![allow(missing_docs, unreachable_pub)]

mod bench;
mod connections;
mod cost;
mod counting_proxy;
mod dead_letters;
mod events;
mod harness;
mod history;
mod hot_entity;
mod http;
mod keys;
mod messages;
mod presence;
mod pushes;
mod sleeping;
mod stacks;
mod tokens;
mod wrong_usage;
