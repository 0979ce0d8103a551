//! Tests of the program `herald-local`: its output, its options, its errors, and its end.

mod announcement;
mod authentication;
mod endings;
pub mod harness;
mod log;
mod open_files;
mod options;
mod refusals;
