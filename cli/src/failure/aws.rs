//! Failures of calls to AWS services.

use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};

use super::Failure;

/// Makes a failure from an SDK error: [`Failure::Refused`] if the credentials are invalid or lack a permission,
/// [`Failure::Unavailable`] if the service could not be reached, and [`Failure::Failed`] otherwise. `context` says what
/// could not be done.
pub(crate) fn aws_failure<E, R>(context: impl std::fmt::Display, error: SdkError<E, R>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let is_refused = error.code().is_some_and(is_refusal);
    let is_unreachable = match &error {
        SdkError::DispatchFailure(failure) => failure.is_io() || failure.is_timeout(),
        error => matches!(error, SdkError::TimeoutError(_)),
    };
    let error = match error.message() {
        Some(message) => anyhow::Error::msg(format!("{context}: {message}")),
        None => anyhow::Error::new(error).context(context.to_string()),
    };
    match (is_refused, is_unreachable) {
        (true, _) => Failure::Refused(error),
        (_, true) => Failure::Unavailable(error),
        _ => Failure::Failed(error),
    }
}

/// Whether an error code means that the credentials are invalid or lack a permission.
///
/// Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html>
fn is_refusal(code: &str) -> bool {
    [
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "NotAuthorized",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    ]
    .contains(&code)
}
