//! One secret with its versions: the current one and the previous one.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::password;
use crate::{
    aws_json::ServiceError,
    template::{self, SecretText},
};

/// The label of the current version, which is read by default.
pub(super) const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// The versions that are kept. AWS keeps about a hundred, and deletes none in its first day.
const KEPT: usize = 100;

/// The length of the suffix of a name in the ARN: a hyphen and six characters.
const SUFFIX: usize = 7;

pub(super) struct Secret {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) created: DateTime<Utc>,
    /// The newest last. A version without a label can still be read by its id.
    pub(super) versions: Vec<Version>,
}

pub(super) struct Version {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) stages: Vec<&'static str>,
    pub(super) created: DateTime<Utc>,
}

impl Secret {
    /// Creates a secret of a template, and generates its text if the template demands it.
    pub(super) fn new(described: &template::Secret, now: DateTime<Utc>) -> Self {
        let text = match &described.text {
            SecretText::Empty => None,
            SecretText::Given(text) => Some(text.clone()),
            SecretText::Generated(rules) => Some(password::generate(rules)),
        };
        Self {
            name: described.name.clone(),
            arn: described.arn.clone(),
            created: now,
            versions: text
                .map(|text| Version::current(version_id(), text, now))
                .into_iter()
                .collect(),
        }
    }

    /// Returns whether a `SecretId` is this secret's: its name, its ARN, or its ARN without the suffix of
    /// the name.
    pub(super) fn is_called(&self, id: &str) -> bool {
        let short_arn = &self.arn[..self.arn.len() - SUFFIX];
        [self.name.as_str(), self.arn.as_str(), short_arn].contains(&id)
    }

    /// Returns the version with this id and this label, as far as they are given; otherwise the current
    /// one.
    pub(super) fn version(&self, id: Option<&str>, stage: Option<&str>) -> Option<&Version> {
        let stage = match (id, stage) {
            (None, None) => Some(CURRENT),
            _ => stage,
        };
        self.versions.iter().find(|version| {
            id.is_none_or(|id| version.id == id)
                && stage.is_none_or(|stage| version.stages.contains(&stage))
        })
    }

    /// Stores `text` as the current version, with the caller's id or a new one. Storing the same again
    /// changes nothing.
    pub(super) fn put(
        &mut self,
        id: Option<String>,
        text: String,
        now: DateTime<Utc>,
    ) -> Result<&Version, ServiceError> {
        let id = id.unwrap_or_else(version_id);
        if let Some(index) = self.versions.iter().position(|version| version.id == id) {
            let version = &self.versions[index];
            if version.text == text {
                return Ok(version);
            }
            return Err(ServiceError::bad_request(
                "ResourceExistsException",
                format!("A version with the id {id} exists already and has another value."),
            ));
        }
        for version in &mut self.versions {
            version.stages = match version.stages.contains(&CURRENT) {
                true => vec![PREVIOUS],
                false => vec![],
            };
        }
        let surplus = (self.versions.len() + 1).saturating_sub(KEPT);
        self.versions.drain(..surplus);
        self.versions.push(Version::current(id, text, now));
        Ok(&self.versions[self.versions.len() - 1])
    }

    /// Returns the time of the last change.
    pub(super) fn changed(&self) -> DateTime<Utc> {
        self.versions
            .last()
            .map_or(self.created, |version| version.created)
    }
}

impl Version {
    fn current(id: String, text: String, created: DateTime<Utc>) -> Self {
        Self {
            id,
            text,
            stages: vec![CURRENT],
            created,
        }
    }
}

fn version_id() -> String {
    Uuid::new_v4().to_string()
}
