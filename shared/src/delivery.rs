//! Delivery of one push: reads the audience page by page and posts while reading.
//!
//! Plain code over two traits; it knows neither Lambda, DynamoDB nor HTTP.

use std::pin::pin;

use futures_util::{Stream, StreamExt, stream};

use crate::{
    ids::ConnectionId,
    post::{Post, PostError},
    push::Push,
    store::{ConnectionStore, StoreError},
};

/// How many posts, and later how many forgettings, are under way at once.
const IN_FLIGHT: usize = 64;

/// What became of one push.
#[derive(Debug, Default)]
pub struct Report {
    /// How many connections took it.
    pub delivered: usize,
    /// How many were gone and are forgotten.
    pub gone: usize,
    /// The connections it could not be posted to, each with the reason.
    pub failed: Vec<(ConnectionId, PostError)>,
}

/// Posts a push to every connection of its audience and forgets those that are gone.
///
/// Errs when the audience cannot be read; some connections may have got the push by then.
pub async fn deliver(
    push: &Push,
    store: &impl ConnectionStore,
    poster: &impl Post,
) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let mut gone = Vec::new();
    let posts = connections(push, store)
        .map(|connection| post(connection, push, poster))
        .buffer_unordered(IN_FLIGHT);
    let mut posts = pin!(posts);
    while let Some(posted) = posts.next().await {
        let (connection, outcome) = posted?;
        match outcome {
            Ok(()) => report.delivered += 1,
            Err(PostError::Gone) => gone.push(connection),
            Err(error) => report.failed.push((connection, error)),
        }
    }
    report.gone = gone.len();
    forget(gone, store).await;
    Ok(report)
}

async fn post(
    connection: Result<ConnectionId, StoreError>,
    push: &Push,
    poster: &impl Post,
) -> Result<(ConnectionId, Result<(), PostError>), StoreError> {
    let connection = connection?;
    let outcome = poster.post(&connection, push.frame.get()).await;
    Ok((connection, outcome))
}

/// The connections of the push's audience, without the one it is not for.
fn connections<'a>(
    push: &'a Push,
    store: &'a impl ConnectionStore,
) -> impl Stream<Item = Result<ConnectionId, StoreError>> + Send + 'a {
    pages(push, store)
        .flat_map(|page| match page {
            Ok(connections) => stream::iter(connections).map(Ok).left_stream(),
            Err(error) => stream::iter([Err(error)]).right_stream(),
        })
        .filter(|connection| {
            let wanted = !matches!(connection, Ok(id) if push.except.as_ref() == Some(id));
            async move { wanted }
        })
}

fn pages<'a>(
    push: &'a Push,
    store: &'a impl ConnectionStore,
) -> impl Stream<Item = Result<Vec<ConnectionId>, StoreError>> + Send + 'a {
    stream::try_unfold(Position::Start, move |position| async move {
        let after = match position {
            Position::Start => None,
            Position::After(connection) => Some(connection),
            Position::End => return Ok(None),
        };
        let page = store.audience(&push.audience, after.as_ref()).await?;
        let position = page.next.map_or(Position::End, Position::After);
        Ok(Some((page.connections, position)))
    })
}

/// Where the reading of an audience stands.
enum Position {
    Start,
    After(ConnectionId),
    End,
}

/// Forgets connections that are gone. One that cannot be forgotten now is gone at the next push as
/// well, so the failure is only logged.
async fn forget(gone: Vec<ConnectionId>, store: &impl ConnectionStore) {
    stream::iter(gone)
        .for_each_concurrent(IN_FLIGHT, |connection| async move {
            if let Err(error) = store.forget(&connection).await {
                tracing::warn!(
                    connection_id = %connection,
                    error = &error as &dyn std::error::Error,
                    "a connection that is gone could not be forgotten"
                );
            }
        })
        .await;
}
