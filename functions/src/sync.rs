//! `sync`: compares the client's positions with the logs, and answers with what the client has missed.

use std::{collections::BTreeMap, num::NonZeroU32};

use herald_shared::{
    audience::Audience,
    ids::EntityId,
    log::{Budget, LogRows, Reach, Synced},
    protocol::{Ack, EntityResult, Known, LogReply, Refusal, Request, ServerFrame, SyncRequest},
    store::ConnectionStore,
};

use crate::{
    admission::Admission,
    logs::Logs,
    message::Message,
    reply::{anonymous, forbidden, log_failure},
};

/// Answers with the logs in which the client is not current: none, usually. The reply is empty for a log
/// that the stack does not keep any more.
///
/// # Errors
///
/// Returns `bad_request` or `too_many` if the frame is invalid, and the errors of
/// [`Admission::admit_up_to_burst`]. A log that cannot be read has its own error.
pub async fn handle<'a>(
    message: &'a Message,
    request: &'a Request<'a>,
    admission: &Admission<'_, impl ConnectionStore>,
    logs: &Logs<impl LogRows>,
) -> Result<ServerFrame<'a>, Refusal> {
    let id = request.id()?;
    let sync = SyncRequest::parse(request)?;
    let charged = u32::try_from(sync.len()).ok().and_then(NonZeroU32::new);
    admission
        .admit_up_to_burst(message, charged.unwrap_or(NonZeroU32::MIN))
        .await?;
    let mut reader = Reader {
        message,
        logs,
        budget: Budget::SHARED_REPLY,
    };
    let mut ack = Ack {
        action: "sync",
        id,
        ..Ack::default()
    };
    if let Some(known) = sync.user {
        ack.user = reader.user(known).await;
    }
    if let Some(known) = sync.everyone {
        ack.everyone = reader.everyone(known).await;
    }
    let mut entities = BTreeMap::new();
    for (name, checked) in sync.entities {
        let result = match checked {
            Ok((entity, known)) => reader.entity(&entity, known).await,
            Err(refusal) => Some(Err(refusal).into()),
        };
        entities.extend(result.map(|result| (name, result)));
    }
    ack.entities = (!entities.is_empty()).then_some(entities);
    Ok(ServerFrame::Ack(ack))
}

/// The reader of the logs of one reply, whose messages share one budget.
struct Reader<'a, R> {
    message: &'a Message,
    logs: &'a Logs<R>,
    budget: Budget,
}

impl<R: LogRows> Reader<'_, R> {
    async fn entity(&mut self, entity: &EntityId, known: Known) -> Option<EntityResult> {
        if !self.message.caller.permissions.may_subscribe(entity) {
            return Some(Err(forbidden(&format!("subscribe to {entity}"))).into());
        }
        let reach = self.logs.reach(self.message, entity);
        self.read(&Audience::Entity(entity.clone()), known, reach)
            .await
    }

    /// A user may read their own log as far back as it goes.
    async fn user(&mut self, known: Known) -> Option<EntityResult> {
        match self.message.caller.user.clone() {
            Some(user) => self.read(&Audience::User(user), known, Reach::Log).await,
            None => Some(Err(anonymous()).into()),
        }
    }

    async fn everyone(&mut self, known: Known) -> Option<EntityResult> {
        let reach = self.logs.reach_of_everyone(self.message);
        self.read(&Audience::Everyone, known, reach).await
    }

    /// Returns what the client needs to know about a log. `None` if it is current.
    async fn read(
        &mut self,
        audience: &Audience,
        known: Known,
        reach: Reach,
    ) -> Option<EntityResult> {
        let Some(policy) = self.logs.policy(audience) else {
            return Some(EntityResult::default());
        };
        let log = &self.logs.log;
        let now = self.message.received_at;
        let read = match known {
            Known::Nothing => log
                .position(audience)
                .await
                .map(|position| Some(position.into())),
            Known::Position(since) => log
                .sync(audience, policy, &since, reach, &mut self.budget, now)
                .await
                .map(|synced| match synced {
                    Synced::Current => None,
                    Synced::Behind(recovery) => Some(LogReply::from(recovery)),
                }),
        };
        read.map_err(|error| log_failure(&error))
            .transpose()
            .map(EntityResult::from)
    }
}
