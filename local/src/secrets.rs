//! Secrets Manager: the template's secrets, and the operations of the API that read and change one. Each
//! start generates new texts.
//!
//! No log line and no error contains the text of a secret.
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/Welcome.html>

mod password;
mod secret;

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    aws_json::{Answer, ServiceError, parse},
    template,
};
use secret::{CURRENT, Secret};

/// The secrets of a stack.
pub struct Secrets {
    secrets: Mutex<Vec<Secret>>,
}

impl Secrets {
    /// Creates the secrets of a template, and generates their texts where the template demands it.
    pub fn new(secrets: &[template::Secret]) -> Self {
        let now = Utc::now();
        let secrets = secrets.iter().map(|secret| Secret::new(secret, now));
        Self {
            secrets: Mutex::new(secrets.collect()),
        }
    }

    /// Returns the current text of the secret with this name or ARN, if it has one.
    pub fn current(&self, secret_id: &str) -> Option<String> {
        let secrets = self.lock();
        let secret = secrets.iter().find(|secret| secret.is_called(secret_id))?;
        Some(secret.version(None, None)?.text.clone())
    }

    /// Answers one operation.
    pub(crate) fn call(&self, operation: &str, request: Value) -> Answer {
        match operation {
            "GetSecretValue" => self.get(parse(request)?),
            "PutSecretValue" => self.put(parse(request)?, Utc::now()),
            "DescribeSecret" => self.describe(parse(request)?),
            _ => Err(ServiceError::bad_request(
                "UnknownOperationException",
                format!(
                    "{operation} is not supported locally: use GetSecretValue, PutSecretValue or \
                     DescribeSecret"
                ),
            )),
        }
    }

    fn get(&self, request: GetSecretValue) -> Answer {
        let secrets = self.lock();
        let secret = find(&secrets, &request.secret_id)?;
        let stage = request.version_stage.as_deref();
        let version = secret.version(request.version_id.as_deref(), stage);
        let version = version.ok_or_else(|| {
            let which = match &request.version_id {
                Some(id) => format!("VersionId: {id}"),
                None => format!("staging label: {}", stage.unwrap_or(CURRENT)),
            };
            not_found(&format!("secret value for {which}"))
        })?;
        Ok(json!({
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": version.id,
            "VersionStages": version.stages,
            "SecretString": version.text,
            "CreatedDate": epoch_seconds(version.created),
        }))
    }

    fn put(&self, request: PutSecretValue, now: DateTime<Utc>) -> Answer {
        let text = request.secret_string.ok_or_else(|| {
            ServiceError::bad_request(
                "InvalidParameterException",
                "You must provide SecretString: SecretBinary is not supported locally.",
            )
        })?;
        if request
            .version_stages
            .is_some_and(|stages| stages != [CURRENT])
        {
            return Err(ServiceError::bad_request(
                "InvalidParameterException",
                "VersionStages other than AWSCURRENT are not supported locally.",
            ));
        }
        let mut secrets = self.lock();
        let mut secrets = secrets.iter_mut();
        let secret = secrets.find(|secret| secret.is_called(&request.secret_id));
        let secret = secret.ok_or_else(|| not_found("secret"))?;
        let version = secret.put(request.client_request_token, text, now)?;
        let (id, stages) = (version.id.clone(), version.stages.clone());
        Ok(json!({
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": id,
            "VersionStages": stages,
        }))
    }

    fn describe(&self, request: DescribeSecret) -> Answer {
        let secrets = self.lock();
        let secret = find(&secrets, &request.secret_id)?;
        let versions = secret.versions.iter();
        let versions = versions.filter(|version| !version.stages.is_empty());
        let stages: serde_json::Map<String, Value> = versions
            .map(|version| (version.id.clone(), json!(version.stages)))
            .collect();
        Ok(json!({
            "ARN": secret.arn,
            "Name": secret.name,
            "CreatedDate": epoch_seconds(secret.created),
            "LastChangedDate": epoch_seconds(secret.changed()),
            "VersionIdsToStages": stages,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Secret>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetSecretValue {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutSecretValue {
    secret_id: String,
    client_request_token: Option<String>,
    secret_string: Option<String>,
    version_stages: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeSecret {
    secret_id: String,
}

fn find<'a>(secrets: &'a [Secret], id: &str) -> Result<&'a Secret, ServiceError> {
    let secret = secrets.iter().find(|secret| secret.is_called(id));
    secret.ok_or_else(|| not_found("secret"))
}

/// Returns AWS's error for a missing secret or version.
fn not_found(missing: &str) -> ServiceError {
    ServiceError::bad_request(
        "ResourceNotFoundException",
        format!("Secrets Manager can't find the specified {missing}."),
    )
}

/// Returns a time as the JSON protocols write it.
fn epoch_seconds(time: DateTime<Utc>) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}
