//! The results of a request to publish over HTTP.

use serde::Serialize;

use super::{EntityError, Refusal};
use crate::log::Position;

/// The maximum number of messages in one request.
pub const PUBLISH_LIMIT: usize = 100;

/// The maximum size of a request's body, in bytes.
pub const PUBLISH_BYTES: usize = 1024 * 1024;

/// The answer to a request: one result for each message, in their order.
#[derive(Clone, Debug, Serialize)]
pub struct PublishReply {
    /// The results.
    pub results: Vec<PublishResult>,
}

/// The result for one message.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum PublishResult {
    /// It is on its way.
    #[serde(rename_all = "camelCase")]
    Published {
        /// The id of its push: its `idempotencyKey`, or one of its own.
        event_id: String,
        /// Its position, if its audience has a log.
        #[serde(flatten)]
        position: Option<Position>,
        /// True if it was dropped, because one of a version as high came before.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        stale: bool,
    },
    /// It was refused. The others are independent of it.
    Refused {
        /// The reason.
        error: EntityError,
    },
}

impl From<Refusal> for PublishResult {
    fn from(refusal: Refusal) -> Self {
        Self::Refused {
            error: refusal.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{log::Epoch, protocol::ErrorCode};

    #[test]
    fn results_are_serialized_as_documented() {
        let published = |position, stale| PublishResult::Published {
            event_id: "e-1".to_owned(),
            position,
            stale,
        };
        let epoch = Epoch::new("k3J9x2Qa").expect("an epoch");
        let results = vec![
            published(Some(Position::after(epoch, 44)), false),
            published(None, false),
            published(None, true),
            Refusal::new(ErrorCode::Forbidden, "no").into(),
        ];
        assert_eq!(
            serde_json::to_string(&PublishReply { results }).expect("JSON"),
            concat!(
                r#"{"results":[{"eventId":"e-1","epoch":"k3J9x2Qa","offset":44},{"eventId":"e-1"},"#,
                r#"{"eventId":"e-1","stale":true},"#,
                r#"{"error":{"code":"forbidden","message":"no","retryable":false}}]}"#
            )
        );
    }
}
