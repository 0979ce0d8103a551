//! The notifier: the only one that fans out. Each record of the queue is one push.

use std::error::Error;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::{StreamExt, stream};
use herald_shared::{
    delivery::{Report, deliver},
    post::Post,
    push::{InvalidPush, Push},
    store::{ConnectionStore, StoreError},
};

/// Delivers the records of a batch, and names those that failed: SQS brings them again, and moves
/// them to the dead-letter queue when they fail too often.
pub async fn handle(
    event: SqsEvent,
    store: &impl ConnectionStore,
    poster: &impl Post,
) -> SqsBatchResponse {
    let failed: Vec<String> = stream::iter(event.records)
        .map(|record| deliver_record(record, store, poster))
        .buffer_unordered(usize::MAX)
        .filter_map(|failed| async { failed })
        .collect()
        .await;
    let mut response = SqsBatchResponse::default();
    response.set_failures(failed);
    response
}

/// Returns the record's message id if it failed.
async fn deliver_record(
    record: SqsMessage,
    store: &impl ConnectionStore,
    poster: &impl Post,
) -> Option<String> {
    let message_id = record.message_id.unwrap_or_default();
    let body = record.body.unwrap_or_default();
    match push(&body, store, poster).await {
        Ok(()) => None,
        Err(error) => {
            tracing::error!(message_id, error = &error as &dyn Error, "a record failed");
            Some(message_id)
        }
    }
}

/// Why a record failed.
#[derive(Debug, thiserror::Error)]
enum RecordError {
    #[error("the record is no push")]
    Invalid(#[from] InvalidPush),
    #[error("the audience could not be read")]
    Audience(#[from] StoreError),
    #[error("{failed} of the push's posts failed")]
    Posts {
        failed: usize,
        #[source]
        first: herald_shared::post::PostError,
    },
}

async fn push(
    body: &str,
    store: &impl ConnectionStore,
    poster: &impl Post,
) -> Result<(), RecordError> {
    let push = Push::from_queue_body(body)?;
    let Report {
        delivered,
        gone,
        failed,
    } = deliver(&push, store, poster).await?;
    let count = failed.len();
    tracing::info!(
        event_id = push.event_id,
        delivered,
        gone,
        failed = count,
        "a push was delivered"
    );
    match failed.into_iter().next() {
        None => Ok(()),
        Some((_, first)) => Err(RecordError::Posts {
            failed: count,
            first,
        }),
    }
}
