//! `herald presence`: the members of an entity.

mod lines;

use clap::Args;
use herald_client::{
    Client, EntityId, LogName, Presence, PresenceChange, RequestError, SubscribeOptions,
    SubscriptionError,
};

use super::{
    live::{report_error, report_state},
    with_client,
};
use crate::{
    failure::{Failure, request_failure},
    output::{note, output_closed},
    target::{Identity, Target, TargetArguments},
};
use lines::Lines;

/// Print the members of an entity
///
/// Members are the users that are subscribed to the entity. Prints each with its connections and the info of its token,
/// and then the count of users and of connections without a user. If there are more members than the stack lists,
/// prints the count alone. Needs the permission `presence`, and a policy for the entity in the stack's parameter
/// `Presence`.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  herald presence room-1
  herald presence room-1 --follow --as alice
  herald presence room-1 --json | jq -r '.members[]?.userId'

Exit codes (`herald --help` lists all):
  1  the stack has no policy for the entity
  3  the token does not allow `presence`, or with --follow `subscribe`")]
pub(crate) struct Arguments {
    /// Entity whose members are printed
    #[arg(value_name = "ENTITY")]
    entity: EntityId,

    /// Print the members that join and leave until Ctrl-C; herald subscribes to the entity, and so is a member itself
    #[arg(long)]
    follow: bool,

    /// Print the members, and each change, as a line of JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    identity: Identity,
}

/// Prints the members once, or until the output is closed or Ctrl-C.
pub(crate) async fn run(arguments: &Arguments, target: &TargetArguments) -> Result<(), Failure> {
    let target = Target::find(target).await?;
    with_client(&target, &arguments.identity, async |client| {
        let lines = Lines {
            entity: &arguments.entity,
            as_json: arguments.json,
        };
        if !arguments.follow {
            return print_once(client, &lines).await;
        }
        tokio::select! {
            followed = follow(client, &lines) => followed,
            () = output_closed() => Err(Failure::OutputClosed),
        }
    })
    .await
}

async fn print_once(client: &Client, lines: &Lines<'_>) -> Result<(), Failure> {
    let entity = lines.entity;
    let presence = client.presence(entity.clone()).await;
    let presence = presence.map_err(|error| unreadable(entity, &error))?;
    lines.print_set(&presence)?;
    if presence.members.is_none() {
        note(format_args!(
            "{entity} has more members than the stack lists"
        ));
    }
    Ok(())
}

/// Prints the members and then each change, until the subscription ends.
async fn follow(client: &Client, lines: &Lines<'_>) -> Result<(), Failure> {
    let entity = lines.entity;
    let mut states = client.states();
    let options = SubscribeOptions::new().presence();
    let subscription = client.subscribe_with(entity.clone(), options).await;
    let mut subscription = subscription
        .map_err(|error| request_failure(format_args!("cannot subscribe to {entity}"), &error))?;
    if subscription.presence().is_some() {
        note(format_args!("subscribed to {entity}; press Ctrl-C to exit"));
    }
    let mut changes = subscription.presence_changes();
    let mut previous = None;
    loop {
        tokio::select! {
            Some(change) = changes.next() => {
                let presence = present(entity, &change)?;
                lines.print_change(previous.as_deref(), &change, presence)?;
                previous = change.presence;
            }
            // Reads the pushes, too, so that they do not pile up.
            next = subscription.recv() => if let Err(error @ SubscriptionError::Ended(_)) = next {
                report_error(&LogName::Entity(entity.clone()), error, client)?;
            },
            _ = states.changed() => report_state(client)?,
        }
    }
}

/// Returns the presence after a change. Fails if there is none.
fn present<'a>(entity: &EntityId, change: &'a PresenceChange) -> Result<&'a Presence, Failure> {
    match (&change.presence, &change.error) {
        (Some(presence), _) => Ok(presence),
        (None, Some(error)) => Err(unreadable(entity, error)),
        (None, None) => Err(Failure::Failed(anyhow::anyhow!(
            "{entity} has no presence: the stack's parameter Presence has no policy for it"
        ))),
    }
}

fn unreadable(entity: &EntityId, error: &RequestError) -> Failure {
    request_failure(format_args!("cannot read the presence of {entity}"), error)
}
