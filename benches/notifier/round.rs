//! One push to its end, and its figures.

use crate::{function::Notifier, services::Services, sink::Sink};

/// The figures of one round of posts.
#[derive(Default)]
pub(crate) struct Round {
    /// The seconds from the first post to the last answer, summed over all invocations.
    pub(crate) posting: f64,
    /// The seconds of all invocations.
    pub(crate) whole: f64,
    pub(crate) processor: f64,
    pub(crate) posts: u64,
}

impl Round {
    /// Returns the posts per second.
    pub(crate) fn rate(&self) -> f64 {
        self.posts as f64 / self.posting
    }

    /// Returns the processor time of a post in microseconds.
    pub(crate) fn processor_per_post(&self) -> f64 {
        1e6 * self.processor / self.posts as f64
    }
}

/// Delivers one event to its end, with up to `at_once` messages of the queue in an invocation.
///
/// # Errors
///
/// Returns an error unless the gateway got `audience` posts.
pub(crate) async fn push(
    notifier: &Notifier,
    services: &Services,
    sink: &Sink,
    body: &str,
    audience: usize,
    at_once: usize,
) -> anyhow::Result<Round> {
    let mut round = Round::default();
    let mut batch = vec![body.to_owned()];
    notifier.start().await?;
    let before = notifier.processor_seconds()?;
    while !batch.is_empty() {
        round.whole += notifier.deliver(&batch).await? / 1000.0;
        let seen = sink.seen().await?;
        round.posts += seen.posts;
        round.posting += seen.seconds;
        batch = services.receive(at_once);
    }
    round.processor = notifier.processor_seconds()? - before;
    let posts = round.posts;
    anyhow::ensure!(
        posts == audience as u64,
        "{posts} of {audience} posts were made"
    );
    Ok(round)
}
