//! `herald-local` as it is used: what it prints and where, what its options do, and how it ends.

mod announcement;
mod authentication;
mod endings;
pub mod harness;
mod open_files;
mod options;
mod refusals;
