//! The error codes that the AWS services share.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// The codes for too many requests.
const THROTTLING: [&str; 5] = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Returns whether the service refused only because of too many requests.
pub(crate) fn is_throttling<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
        .is_some_and(|code| THROTTLING.contains(&code))
}
