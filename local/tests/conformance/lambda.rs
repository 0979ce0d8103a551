//! The Lambda host with a real function process, whose life is what
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html> describes; where its
//! binaries come from; and functions that somebody else runs.

mod binaries;
mod concurrency;
mod failures;
mod harness;
mod idle;
mod remote;
mod shutdown;
mod start;
mod surroundings;
