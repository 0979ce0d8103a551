//! Subscribing with a position: the order of the steps.

use std::time::SystemTime;

use futures_util::{StreamExt, stream};

use super::{
    Budget, Excerpt, History, Log, LogError, LogPolicy, LogRows, Position, Reach, Recovery,
};
use crate::{
    audience::Audience,
    ids::EntityId,
    store::{ConnectionStore, StoreError, Subscribed, Subscription},
};

/// The place in an entity's log at which a subscriber starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what is published from now on.
    Live,
    /// With everything since a position.
    Recover(Position, Reach),
    /// With the last messages, at most so many.
    Rewind(usize),
}

/// The answer to a subscriber of an entity that has a log.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The subscriber is live from the excerpt's position on.
    Started(Excerpt),
    /// The answer to [`Start::Recover`].
    Recovery(Recovery),
}

/// The result for one entity.
#[derive(Debug)]
pub struct Subscriber {
    /// The subscription.
    pub subscribed: Subscribed,
    /// The answer of the entity's log. `None` if it has none, or the subscription is not stored. After an
    /// error the subscription stays: the same subscribe again completes it.
    pub answer: Option<Result<Answer, LogError>>,
}

/// The most heads that are read at once.
const AT_ONCE: usize = 25;

/// Subscribes a connection to entities, and tells for each where in its log the subscriber is. `starts` has
/// one start for each of the subscription's entities, in their order; so has the result.
///
/// The listener rows are stored before a log is read. A message is posted to the subscriber, or was in the
/// log when it was read: [`publish`](super::publish) stores it before it reads the audience. Without that order
/// a message could miss both.
///
/// # Errors
///
/// Returns [`StoreError`] if the subscriptions could not be stored; no log was read then. An error of a log is
/// in the result of its entity.
#[allow(
    clippy::too_many_arguments,
    reason = "two stores and what each is asked"
)]
pub async fn subscribe<S: ConnectionStore, R: LogRows>(
    store: &S,
    log: &Log<R>,
    history: &History,
    subscription: Subscription<'_>,
    limit: u32,
    starts: &[Start],
    now: SystemTime,
) -> Result<Vec<Subscriber>, StoreError> {
    let subscribed = store.subscribe(subscription, limit).await?;
    let logs = subscription.entities.iter().zip(&subscribed);
    let logs = logs.zip(starts).map(|((entity, subscribed), start)| {
        let policy = policy_of(history, entity);
        let policy = policy.filter(|_| *subscribed == Subscribed::Stored);
        policy.map(|(audience, policy)| (audience, policy, start))
    });
    let answers = read(log, logs.collect(), now).await;
    let results = subscribed.into_iter().zip(answers);
    Ok(results
        .map(|(subscribed, answer)| Subscriber { subscribed, answer })
        .collect())
}

fn policy_of(history: &History, entity: &EntityId) -> Option<(Audience, LogPolicy)> {
    let audience = Audience::Entity(entity.clone());
    let policy = history.policy(&audience)?;
    Some((audience, policy))
}

/// Reads the logs: first the positions of those that need no message, side by side, and then the others,
/// which share the budget of the reply.
async fn read<R: LogRows>(
    log: &Log<R>,
    logs: Vec<Option<(Audience, LogPolicy, &Start)>>,
    now: SystemTime,
) -> Vec<Option<Result<Answer, LogError>>> {
    let mut answers: Vec<_> = stream::iter(&logs)
        .map(async |wanted| match wanted {
            Some((audience, _, Start::Live)) => Some(live(log, audience).await),
            _ => None,
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut budget = match logs.len() {
        1 => Budget::REPLY,
        _ => Budget::SHARED_REPLY,
    };
    for (wanted, answer) in logs.into_iter().zip(&mut answers) {
        if let (Some((audience, policy, start)), None) = (wanted, &answer) {
            *answer = Some(replay(log, &audience, policy, start, &mut budget, now).await);
        }
    }
    answers
}

async fn live<R: LogRows>(log: &Log<R>, audience: &Audience) -> Result<Answer, LogError> {
    let position = log.position(audience).await?;
    Ok(Answer::Started(Excerpt::empty(position)))
}

async fn replay<R: LogRows>(
    log: &Log<R>,
    audience: &Audience,
    policy: LogPolicy,
    start: &Start,
    budget: &mut Budget,
    now: SystemTime,
) -> Result<Answer, LogError> {
    match start {
        Start::Live => live(log, audience).await,
        Start::Recover(since, reach) => {
            let recovery = log.recover(audience, policy, since, *reach, budget, now);
            Ok(Answer::Recovery(recovery.await?))
        }
        Start::Rewind(count) => {
            let excerpt = log.rewind(audience, policy, *count, budget, now);
            Ok(Answer::Started(excerpt.await?))
        }
    }
}
