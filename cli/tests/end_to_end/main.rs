//! The command line tool, end to end: the real binary, against the local stack with the real functions.
#![allow(missing_docs, unreachable_pub)]

mod conversations;
mod events;
mod harness;
mod messages;
mod pushes;
mod stacks;
mod terminal;
mod tokens;
mod wrong_use;
