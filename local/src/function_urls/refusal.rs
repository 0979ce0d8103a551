//! Lambda's own answers to requests that no function answers.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode},
    response::Response,
};
use serde_json::json;

use crate::lambda::MAXIMUM_PAYLOAD_BYTES;

/// The reason why a function does not answer a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The request is not signed, or its caller may not invoke the function.
    Forbidden,
    /// The request or its event is too large.
    TooLarge,
    /// The function's reserved concurrency is exhausted.
    Throttled,
    /// The function failed, or returned a malformed response.
    FunctionFailed,
}

impl Refusal {
    pub(super) fn into_response(self) -> Response<Body> {
        let (status, code, message) = match self {
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "AccessDeniedException",
                "Forbidden. For troubleshooting Function URL authorization issues, see: \
                 https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
                    .to_owned(),
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLargeException",
                format!(
                    "Request must be smaller than {MAXIMUM_PAYLOAD_BYTES} bytes for the \
                     InvokeFunction operation"
                ),
            ),
            Self::Throttled => (
                StatusCode::TOO_MANY_REQUESTS,
                "TooManyRequestsException",
                "Rate Exceeded.".to_owned(),
            ),
            Self::FunctionFailed => {
                // The one answer that is not JSON, although its content type says so.
                return response(StatusCode::BAD_GATEWAY, "Internal Server Error".to_owned());
            }
        };
        let mut response = response(status, json!({ "Message": message }).to_string());
        let code = HeaderValue::from_static(code);
        response.headers_mut().insert("x-amzn-errortype", code);
        response
    }
}

fn response(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}
