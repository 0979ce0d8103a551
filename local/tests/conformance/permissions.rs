//! Tests of the permissions of functions.

mod harness;
mod refusals;
