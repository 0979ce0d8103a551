//! The parts that Herald's benches share.
//!
//! A bench prints tables for people and, as its last line, one JSON object for programs. The manual of all benches and of
//! that line is `docs/benchmarks.md`; the rows of a bench are explained in its `main.rs`.

mod figures;
pub mod functions;
pub mod identity;
pub mod machine;
mod one_process;
pub mod process;
mod run;
mod statistics;

pub use figures::Figures;
pub use one_process::{Endpoint, OneProcess, stack};
pub use run::Run;
pub use statistics::{median, timed};
