//! The AWS SDK, led to where the services are.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};

use super::Target;
use crate::failure::Failure;

/// The Region of a herald-local that does not say.
const LOCAL_REGION: &str = "us-east-1";

impl Target {
    /// What SDK clients are made of. For a herald-local, with credentials that are nobody's: those of
    /// the person at the terminal are not looked for.
    ///
    /// Errs if no Region is known.
    pub(crate) async fn aws(&self) -> Result<SdkConfig, Failure> {
        match &self.endpoint {
            Some(endpoint) => Ok(local(endpoint, self.region.as_deref())),
            None => deployed(self.region.as_deref(), self.profile.as_deref()).await,
        }
    }
}

fn local(endpoint: &str, region: Option<&str>) -> SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "herald-local");
    let region = region.unwrap_or(LOCAL_REGION).to_owned();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

/// What the environment and AWS's configuration files say. Errs if they name no Region.
pub(super) async fn deployed(
    region: Option<&str>,
    profile: Option<&str>,
) -> Result<SdkConfig, Failure> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    let config = loader.load().await;
    if config.region().is_none() {
        return Err(Failure::usage(
            "it is not known in which AWS Region Herald is: give --region, or a --profile that has one",
        ));
    }
    Ok(config)
}

/// What a failed call of an AWS service means: `what` could not be done because nobody was reached, because
/// the caller may not, or for a reason of the service's own.
pub(crate) fn failure<E, R>(what: impl std::fmt::Display, error: SdkError<E, R>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let is_refused = error.code().is_some_and(is_refusal);
    let is_not_reached = match &error {
        SdkError::DispatchFailure(failure) => failure.is_io() || failure.is_timeout(),
        error => matches!(error, SdkError::TimeoutError(_)),
    };
    let error = match error.message() {
        Some(message) => anyhow::Error::msg(format!("{what}: {message}")),
        None => anyhow::Error::new(error).context(what.to_string()),
    };
    match (is_refused, is_not_reached) {
        (true, _) => Failure::Refused(error),
        (_, true) => Failure::Unavailable(error),
        _ => Failure::Failed(error),
    }
}

/// Whether an error code says that the caller is nobody, or may not do this.
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
