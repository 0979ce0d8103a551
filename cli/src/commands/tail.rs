//! `herald tail`: what is pushed, as lines of JSON.

use std::{future::pending, time::Duration};

use clap::{ArgGroup, Args};
use futures_util::{
    Stream, StreamExt,
    stream::{BoxStream, SelectAll},
};
use herald_client::{Client, ConnectionState, EntityId, Push, SubscriptionError};
use herald_shared::in_full::in_full;
use tokio::time::sleep;

use super::with_client;
use crate::{
    arguments::Globals,
    failure::Failure,
    output::{line, note, reader_gone},
    target::{Identity, Target, not_done, stopped},
};

const USER: &str = "pushes to the user";
const BROADCASTS: &str = "broadcasts";

/// Print what is pushed, one line of JSON for each push
///
/// It reconnects by itself. What is pushed while it is not connected does not come later.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("audience").required(true).multiple(true).args(["entities", "user", "broadcast"]),
    after_long_help = "\
Examples:
  herald tail order-1 order-2
  herald tail --broadcast --user --as alice
  herald tail order-1 --count 1 --timeout 30 | jq -r .message.state

Exit codes of its own:
  4  --timeout passed before there were --count pushes"
)]
pub(crate) struct Arguments {
    /// Entities to subscribe to
    #[arg(value_name = "ENTITY")]
    entities: Vec<EntityId>,

    /// Print what is pushed to the user, too
    #[arg(long)]
    user: bool,

    /// Print what is pushed to everyone, too
    #[arg(long)]
    broadcast: bool,

    /// End after this many pushes
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// End after this many seconds; that is a failure if there is a --count
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,

    #[command(flatten)]
    identity: Identity,
}

/// Prints pushes until there are enough, time is up, nobody reads, or Ctrl-C.
pub(crate) async fn run(arguments: &Arguments, globals: &Globals) -> Result<(), Failure> {
    let target = Target::find(globals).await?;
    with_client(&target, &arguments.identity, async |client| {
        print(arguments, client).await
    })
    .await
}

/// Pushes of all kinds that were asked for, and what happened in place of one, with its kind.
type Pushes = SelectAll<BoxStream<'static, Result<Push, (String, SubscriptionError)>>>;

async fn print(arguments: &Arguments, client: &Client) -> Result<(), Failure> {
    let mut states = client.states();
    let mut pushes = subscribe(arguments, client).await?;
    note(format_args!("{}; Ctrl-C ends", subscribed(arguments)));
    let printing = async {
        let mut left = arguments.count;
        while left != Some(0) {
            tokio::select! {
                Some(next) = pushes.next() => match next {
                    Ok(push) => {
                        line(push.json())?;
                        left = left.map(|left| left - 1);
                    }
                    Err((kind, error)) => tell_missing(&kind, error, client)?,
                },
                _ = states.changed() => tell_state(client)?,
            }
        }
        Ok(())
    };
    tokio::select! {
        printed = printing => printed,
        () = time_is_up(arguments.timeout) => match arguments.count {
            Some(_) => Err(Failure::unavailable("--timeout passed before there were --count pushes")),
            None => Ok(()),
        },
        () = reader_gone() => Err(Failure::NobodyReads),
    }
}

async fn subscribe(arguments: &Arguments, client: &Client) -> Result<Pushes, Failure> {
    let mut all = SelectAll::new();
    if arguments.user {
        all.push(of_kind(USER.to_owned(), client.notifications()));
    }
    if arguments.broadcast {
        all.push(of_kind(BROADCASTS.to_owned(), client.broadcasts()));
    }
    for entity in &arguments.entities {
        let subscription = client.subscribe(entity.clone()).await;
        let subscription = subscription
            .map_err(|error| not_done(format_args!("no subscription to {entity}"), &error))?;
        all.push(of_kind(entity.to_string(), subscription));
    }
    Ok(all)
}

fn of_kind(
    kind: String,
    pushes: impl Stream<Item = Result<Push, SubscriptionError>> + Send + 'static,
) -> BoxStream<'static, Result<Push, (String, SubscriptionError)>> {
    pushes
        .map(move |next| next.map_err(|error| (kind.clone(), error)))
        .boxed()
}

fn subscribed(arguments: &Arguments) -> String {
    let mut kinds: Vec<_> = arguments.entities.iter().map(EntityId::as_str).collect();
    kinds.extend(arguments.user.then_some(USER));
    kinds.extend(arguments.broadcast.then_some(BROADCASTS));
    format!("subscribed to {}", kinds.join(", "))
}

async fn time_is_up(after: Option<u64>) {
    match after {
        Some(seconds) => sleep(Duration::from_secs(seconds)).await,
        None => pending().await,
    }
}

/// Errs if there will be no more of the kind.
fn tell_missing(kind: &str, error: SubscriptionError, client: &Client) -> Result<(), Failure> {
    match (client.state(), error) {
        (ConnectionState::Stopped(reason), _) => Err(stopped(&reason)),
        (_, SubscriptionError::Ended(error)) => {
            Err(not_done(format_args!("no more of {kind}"), &error))
        }
        (_, missed) => {
            note(format_args!("{kind}: {missed}"));
            Ok(())
        }
    }
}

/// Errs if the connection will not come back.
fn tell_state(client: &Client) -> Result<(), Failure> {
    match client.state() {
        ConnectionState::Stopped(reason) => return Err(stopped(&reason)),
        ConnectionState::Reconnecting { delay, .. } => {
            let why = client.last_failure();
            let why = why.map_or_else(|| "the connection is lost".to_owned(), |why| in_full(&why));
            let delay = delay.unwrap_or_default().as_secs_f64();
            note(format_args!("{why}; trying again in {delay:.1} s"));
        }
        ConnectionState::Open => note("connected again"),
        _ => {}
    }
    Ok(())
}
