//! What functions may call.

mod harness;
mod refusals;
