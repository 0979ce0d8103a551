//! The local stack against what AWS is known to do. Each test names what it proves; what AWS is not
//! proven to do is listed in `docs/local-vs-aws.md`.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod authentication;
mod command_line;
mod console;
mod documented;
mod doors;
mod gateway;
mod lambda;
mod permissions;
mod processes;
mod programs;
