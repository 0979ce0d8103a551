//! What the services' errors have in common.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// The codes by which the services say "not so fast".
const THROTTLING: [&str; 5] = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Whether the service refused only because of too many requests.
pub(crate) fn is_throttling<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
        .is_some_and(|code| THROTTLING.contains(&code))
}
