//! Conformance tests of the local stack: its behaviour against that of AWS, and `herald-local`
//! against its documentation. `docs/local-vs-aws.md` lists the behaviour that is not proven of AWS.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod authentication;
mod command_line;
mod console;
mod data_file;
mod documented;
mod endpoints;
mod faults;
mod function_urls;
mod gateway;
mod lambda;
mod permissions;
mod processes;
mod programs;
