//! Tests of the Lambda host with a real function process, whose life cycle is that of
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>; of the function
//! binaries; and of functions behind an Invoke API.

mod binaries;
mod concurrency;
mod context;
mod failures;
mod harness;
mod idle;
mod remote;
mod shutdown;
mod start;
