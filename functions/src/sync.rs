//! `sync`: compares the client's positions with the logs, and answers with the messages that it missed.

use std::{collections::BTreeMap, num::NonZeroU32};

use futures_util::{StreamExt, stream};
use herald_shared::{
    audience::Audience,
    ids::EntityId,
    log::{Budget, LogError, LogPolicy, LogRows, Position, Reach, Synced},
    presence::RenewMembers,
    protocol::{Ack, EntityResult, Known, LogReply, Refusal, Request, ServerFrame, SyncRequest},
    store::Admit,
};

use crate::{
    admission::Admission,
    logs::Logs,
    members,
    message::Message,
    reply::{anonymous, forbidden, log_failure},
};

/// The maximum number of heads that are read at once.
const AT_ONCE: usize = 25;

/// Answers with the logs in which the client is not current: none, usually. The result of an audience that has
/// no log any more is empty. As a `ping` does, it renews the member rows of the connection.
///
/// # Errors
///
/// Returns `bad_request` or `too_many` if the frame is invalid, and the errors of
/// [`Admission::admit_up_to_burst`]. A log that cannot be read has its own error.
pub async fn handle<'a>(
    message: &'a Message,
    request: &'a Request<'a>,
    admission: &Admission<'_, impl Admit>,
    logs: &Logs<impl LogRows>,
    store: &impl RenewMembers,
) -> Result<ServerFrame<'a>, Refusal> {
    let ack = synchronize(message, request, admission, logs).await?;
    members::renew(message, store).await;
    Ok(ServerFrame::from(ack))
}

/// Returns the acknowledgement of [`handle`].
pub(crate) async fn synchronize(
    message: &Message,
    request: &Request<'_>,
    admission: &Admission<'_, impl Admit>,
    logs: &Logs<impl LogRows>,
) -> Result<Ack, Refusal> {
    let id = request.id()?;
    let sync = SyncRequest::parse(request)?;
    let charged = u32::try_from(sync.len()).ok().and_then(NonZeroU32::new);
    admission
        .admit_up_to_burst(message, charged.unwrap_or(NonZeroU32::MIN))
        .await?;
    let mut ack = Ack {
        action: "sync",
        id,
        ..Ack::default()
    };
    let comparisons = comparisons(message, sync, logs, &mut ack);
    compare(comparisons, message, logs, &mut ack).await;
    Ok(ack)
}

/// A log to compare a position with.
struct Comparison {
    name: Name,
    audience: Audience,
    policy: LogPolicy,
    reach: Reach,
    known: Known,
}

/// The place of a log in the frame and its reply.
#[derive(Clone, Debug)]
enum Name {
    Entity(String),
    User,
    Everyone,
}

/// Returns the logs that the connection may read, and adds the results of the others to the reply.
fn comparisons<R>(
    message: &Message,
    sync: SyncRequest,
    logs: &Logs<R>,
    ack: &mut Ack,
) -> Vec<Comparison> {
    let user = sync.user.map(|known| (Name::User, of_user(message, known)));
    let everyone = sync.everyone.map(|known| {
        let reach = logs.reach_of_everyone(message);
        (Name::Everyone, Ok((Audience::Everyone, reach, known)))
    });
    let entities = sync.entities.into_iter().map(|(name, checked)| {
        let log = checked.and_then(|(entity, known)| of_entity(message, logs, entity, known));
        (Name::Entity(name), log)
    });
    let mut comparisons = Vec::new();
    for (name, log) in user.into_iter().chain(everyone).chain(entities) {
        match log.map(|log| (logs.policy(&log.0), log)) {
            Ok((Some(policy), (audience, reach, known))) => comparisons.push(Comparison {
                name,
                audience,
                policy,
                reach,
                known,
            }),
            Ok((None, _)) => add(ack, name, EntityResult::default()),
            Err(refusal) => add(ack, name, Err(refusal).into()),
        }
    }
    comparisons
}

/// A user may read their own log as far back as it goes.
fn of_user(message: &Message, known: Known) -> Result<(Audience, Reach, Known), Refusal> {
    let user = message.caller.user.clone().ok_or_else(anonymous)?;
    Ok((Audience::User(user), Reach::Log, known))
}

fn of_entity<R>(
    message: &Message,
    logs: &Logs<R>,
    entity: EntityId,
    known: Known,
) -> Result<(Audience, Reach, Known), Refusal> {
    if !message.caller.permissions.may_subscribe(&entity) {
        return Err(forbidden(&format!("subscribe to {entity}")));
    }
    let reach = logs.reach(message, &entity);
    Ok((Audience::Entity(entity), reach, known))
}

/// Compares the positions at the same time, and adds the results of the logs that are not current to the
/// reply. Their messages share its budget, so these logs are read one after the other.
async fn compare<R: LogRows>(
    comparisons: Vec<Comparison>,
    message: &Message,
    logs: &Logs<R>,
    ack: &mut Ack,
) {
    let compared: Vec<_> = stream::iter(comparisons)
        .map(async |comparison| (first_look(&comparison, logs).await, comparison))
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut budget = Budget::SHARED_REPLY;
    for (first_look, comparison) in compared {
        let result = match first_look {
            Ok(FirstLook::Current) => None,
            Ok(FirstLook::Position(reply)) => Some(Ok(reply)),
            Ok(FirstLook::Behind(since)) => {
                let read = read(&comparison, &since, message, logs, &mut budget).await;
                read.map_err(|error| log_failure(&error)).transpose()
            }
            Err(error) => Some(Err(log_failure(&error))),
        };
        if let Some(result) = result {
            add(ack, comparison.name, result.into());
        }
    }
}

/// The result of reading a log's head.
enum FirstLook {
    /// The client has every message.
    Current,
    /// The client had no position; this is the present one.
    Position(LogReply),
    /// The client seems to lack messages after its position.
    Behind(Position),
}

async fn first_look<R: LogRows>(
    comparison: &Comparison,
    logs: &Logs<R>,
) -> Result<FirstLook, LogError> {
    let Comparison { audience, .. } = comparison;
    match &comparison.known {
        Known::Nothing => {
            let position = logs.log.position(audience).await?;
            Ok(FirstLook::Position(position.into()))
        }
        Known::Position(since) => match logs.log.is_current(audience, since).await? {
            true => Ok(FirstLook::Current),
            false => Ok(FirstLook::Behind(since.clone())),
        },
    }
}

/// Reads what the client lacks. `None` if it is current after all.
async fn read<R: LogRows>(
    comparison: &Comparison,
    since: &Position,
    message: &Message,
    logs: &Logs<R>,
    budget: &mut Budget,
) -> Result<Option<LogReply>, LogError> {
    let &Comparison { policy, reach, .. } = comparison;
    let now = message.received_at;
    let synced = logs
        .log
        .catch_up(&comparison.audience, policy, since, reach, budget, now);
    Ok(match synced.await? {
        Synced::Current => None,
        Synced::Behind(recovery) => Some(recovery.into()),
    })
}

fn add(ack: &mut Ack, name: Name, result: EntityResult) {
    match name {
        Name::Entity(name) => {
            ack.entities
                .get_or_insert_with(BTreeMap::new)
                .insert(name, result);
        }
        Name::User => ack.user = Some(result),
        Name::Everyone => ack.everyone = Some(result),
    }
}
