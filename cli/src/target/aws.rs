//! The AWS SDK's configuration for a target.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};

use super::Target;
use crate::failure::Failure;

/// The Region of a herald-local that names none.
const LOCAL_REGION: &str = "us-east-1";

impl Target {
    /// Returns the configuration of SDK clients. For a herald-local the credentials are made up: the user's own are
    /// not looked for.
    ///
    /// Fails with [`Failure::Usage`] if no Region is known.
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

/// Loads the configuration from the environment and AWS's configuration files. Fails with [`Failure::Usage`] if they
/// name no Region.
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
            "the AWS Region is unknown: pass --region, or --profile with a profile that has one",
        ));
    }
    Ok(config)
}
