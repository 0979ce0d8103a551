//! `subscribe`: subscribes the connection to one entity or several.

use std::{collections::BTreeMap, num::NonZeroU32};

use herald_shared::{
    ids::EntityId,
    log::{self, LogRows, Start, Subscriber},
    presence::{KEEP_ALIVE, MembersBudget, ReadPresence},
    protocol::{
        Ack, EntityRequest, EntityResult, ErrorCode, LogReply, PresenceReply, Refusal, Request,
        ServerFrame, StartRequest, Subscribe,
    },
    store::{ConnectionStore, ENTITY_BYTES, Subscribed, Subscription},
};

use crate::{
    admission::Admission,
    logs::Logs,
    message::Message,
    reply::{forbidden, log_failure, store_failure, unknown_connection},
};

/// Acknowledges once the subscriptions are stored, with the position in the log of each entity that has
/// one, and the members of each entity that has some and whose presence the client wants. If an entity has members,
/// the acknowledgement demands the pings that keep the connection among them. A connection may have `limit` subscriptions.
///
/// # Errors
///
/// Returns `bad_request` or `too_many` if the frame is invalid, `forbidden` if a permission is missing,
/// and the errors of [`Admission::admit_up_to_burst`], of the store and of the log.
pub async fn handle<'a>(
    message: &'a Message,
    request: &'a Request<'a>,
    store: &impl ConnectionStore,
    logs: &Logs<impl LogRows>,
    presence: &impl ReadPresence,
    admission: &Admission<'_, impl ConnectionStore>,
    limit: u32,
) -> Result<ServerFrame<'a>, Refusal> {
    let id = request.id()?;
    let mut ack = Ack {
        action: "subscribe",
        id,
        ..Ack::default()
    };
    match Subscribe::parse(request)? {
        Subscribe::One(wanted) => {
            check_permissions(message, &wanted)?;
            let entity = wanted.entity.clone();
            let results = subscribe(
                message,
                vec![wanted],
                store,
                logs,
                presence,
                admission,
                limit,
            )
            .await?;
            let results = results.into_iter().collect::<Result<Vec<_>, _>>()?;
            let answers = results.into_iter().next().unwrap_or_default();
            ack.keep_alive = answers.keep_alive();
            (ack.log, ack.presence) = (answers.log, answers.presence);
            ack.entity_id = Some(entity);
        }
        Subscribe::Several(entities) => {
            let results = several(message, entities, store, logs, presence, admission, limit);
            let (results, keep_alive) = results.await?;
            ack.entities = Some(results);
            ack.keep_alive = keep_alive;
        }
    }
    Ok(ServerFrame::from(ack))
}

/// Subscribes to every permitted entity. Returns the result for each, and the `keepAlive` of the acknowledgement.
async fn several(
    message: &Message,
    entities: BTreeMap<String, Result<EntityRequest, Refusal>>,
    store: &impl ConnectionStore,
    logs: &Logs<impl LogRows>,
    presence: &impl ReadPresence,
    admission: &Admission<'_, impl ConnectionStore>,
    limit: u32,
) -> Result<(BTreeMap<String, EntityResult>, Option<u64>), Refusal> {
    let mut results = BTreeMap::new();
    let (mut names, mut permitted) = (Vec::new(), Vec::new());
    for (name, checked) in entities {
        let checked = checked.and_then(|wanted| {
            check_permissions(message, &wanted)?;
            Ok(wanted)
        });
        match checked {
            Ok(wanted) => {
                names.push(name);
                permitted.push(wanted);
            }
            Err(refusal) => {
                results.insert(name, Err(refusal).into());
            }
        }
    }
    let subscribed = subscribe(message, permitted, store, logs, presence, admission, limit).await?;
    let keep_alive = subscribed.iter().flatten().find_map(Answers::keep_alive);
    let subscribed = subscribed.into_iter().map(|result| match result {
        Ok(Answers { log, presence, .. }) => EntityResult {
            presence,
            ..Ok(log).into()
        },
        Err(refusal) => Err(refusal).into(),
    });
    results.extend(names.into_iter().zip(subscribed));
    Ok((results, keep_alive))
}

/// Recovery needs no further permission: it goes back only as far as the connection may read.
fn check_permissions(message: &Message, wanted: &EntityRequest) -> Result<(), Refusal> {
    let EntityRequest {
        entity,
        start,
        presence,
    } = wanted;
    let permissions = &message.caller.permissions;
    if !permissions.may_subscribe(entity) {
        return Err(forbidden(&format!("subscribe to {entity}")));
    }
    if *presence && !permissions.may_see_presence(entity) {
        return Err(forbidden(&format!("see the presence of {entity}")));
    }
    match start {
        StartRequest::Rewind(_) if !permissions.may_read_history(entity) => {
            Err(forbidden(&format!("read the history of {entity}")))
        }
        StartRequest::Live | StartRequest::Recover(_) | StartRequest::Rewind(_) => Ok(()),
    }
}

/// The answers about one entity.
#[derive(Default)]
struct Answers {
    log: LogReply,
    /// The members, if the client wants them.
    presence: Option<PresenceReply>,
    /// True if the entity has members, whether or not the client wants to see them.
    has_members: bool,
}

impl Answers {
    /// Returns the most seconds from one `ping` or `sync` to the next. `None` if the connection is no member.
    fn keep_alive(&self) -> Option<u64> {
        self.has_members.then_some(KEEP_ALIVE.as_secs())
    }
}

/// Admits and stores the subscriptions of a connection, and reads the logs and members.
///
/// # Errors
///
/// Refuses the whole request if the connection is not stored.
async fn subscribe(
    message: &Message,
    wanted: Vec<EntityRequest>,
    store: &impl ConnectionStore,
    logs: &Logs<impl LogRows>,
    presence: &impl ReadPresence,
    admission: &Admission<'_, impl ConnectionStore>,
    limit: u32,
) -> Result<Vec<Result<Answers, Refusal>>, Refusal> {
    let charged = u32::try_from(wanted.len()).ok().and_then(NonZeroU32::new);
    admission
        .admit_up_to_burst(message, charged.unwrap_or(NonZeroU32::MIN))
        .await?;
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let watched: Vec<_> = wanted
        .iter()
        .filter(|wanted| wanted.presence && presence.has_members(&wanted.entity))
        .map(|wanted| wanted.entity.clone())
        .collect();
    let (entities, starts): (Vec<_>, Vec<_>) = wanted
        .into_iter()
        .map(|wanted| {
            let EntityRequest { entity, start, .. } = wanted;
            let start = start_of(message, &entity, start, logs);
            (entity, start)
        })
        .unzip();
    let subscription = Subscription {
        connection: &message.connection,
        connected_at: message.connected_at,
        token_expires_at: message.caller.token_expires_at,
        entities: &entities,
        watched: &watched,
        user: message.caller.user.as_ref(),
        info: message.caller.info.as_ref(),
    };
    let Logs { log, history, .. } = logs;
    let now = message.received_at;
    let subscribers = log::subscribe(store, log, history, subscription, limit, &starts, now)
        .await
        .map_err(|error| store_failure(&error))?;
    let gone = |subscriber: &Subscriber| subscriber.subscribed == Subscribed::ConnectionGone;
    if subscribers.iter().any(gone) {
        return Err(unknown_connection());
    }
    let mut budget = MembersBudget::SHARED;
    let mut results = Vec::with_capacity(entities.len());
    for (subscriber, entity) in subscribers.into_iter().zip(&entities) {
        let answers = match reply(subscriber, limit) {
            Ok(log) if watched.contains(entity) => {
                let members = presence.snapshot(entity, &mut budget).await;
                let members = members.map_err(|error| store_failure(&error));
                members.map(|members| (log, members))
            }
            reply => reply.map(|log| (log, None)),
        };
        results.push(answers.map(|(log, members)| Answers {
            log,
            presence: members,
            has_members: presence.has_members(entity),
        }));
    }
    Ok(results)
}

fn start_of(
    message: &Message,
    entity: &EntityId,
    start: StartRequest,
    logs: &Logs<impl LogRows>,
) -> Start {
    match start {
        StartRequest::Live => Start::Live,
        StartRequest::Recover(since) => Start::Recover(since, logs.reach(message, entity)),
        StartRequest::Rewind(count) => Start::Rewind(count),
    }
}

fn reply(subscriber: Subscriber, limit: u32) -> Result<LogReply, Refusal> {
    result(subscriber.subscribed, limit)?;
    match subscriber.answer {
        None => Ok(LogReply::default()),
        Some(answer) => answer
            .map(LogReply::from)
            .map_err(|error| log_failure(&error)),
    }
}

fn result(subscribed: Subscribed, limit: u32) -> Result<(), Refusal> {
    match subscribed {
        Subscribed::Stored => Ok(()),
        Subscribed::LimitReached => Err(Refusal::new(
            ErrorCode::TooMany,
            format!(
                "the connection has {limit} subscriptions, which is the limit: unsubscribe from an \
                     entity first"
            ),
        )),
        Subscribed::BytesReached => Err(Refusal::new(
            ErrorCode::TooMany,
            format!(
                "the ids of the connection's entities would be longer than {ENTITY_BYTES} bytes in \
                     total: use shorter ids, or unsubscribe from an entity first"
            ),
        )),
        Subscribed::Ended => Err(Refusal::new(
            ErrorCode::Throttled,
            "an unsubscribe from this entity ran at the same time: send the subscribe again",
        )),
        Subscribed::ConnectionGone => Err(unknown_connection()),
    }
}
