//! The requests and answers of a function URL, in Lambda's payload format 2.0.
//!
//! The types are our own, because the ones in `aws_lambda_events` fail on a header that is not ASCII, and a
//! failure is answered with 502.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads>

mod answer;
mod refusal;
mod request;

pub use answer::HttpAnswer;
pub use refusal::HttpRefusal;
pub use request::HttpRequest;
