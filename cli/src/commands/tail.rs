//! `herald tail`: pushes, as lines of JSON.

use std::{future::pending, time::Duration};

use clap::{ArgGroup, Args};
use futures_util::{
    Stream, StreamExt,
    stream::{BoxStream, SelectAll},
};
use herald_client::{Client, ConnectionState, EntityId, Push, SubscriptionError};
use herald_shared::error_chain::error_chain;
use tokio::time::sleep;

use super::with_client;
use crate::{
    failure::{Failure, request_failure, stop_failure},
    output::{line, note, output_closed},
    target::{Identity, Target, TargetArguments},
};

const USER: &str = "pushes to the user";
const BROADCASTS: &str = "broadcasts";

/// Print pushes, one line of JSON each
///
/// When the connection breaks, herald reconnects. Pushes that it misses meanwhile are lost.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("audience").required(true).multiple(true).args(["entities", "user", "broadcast"]),
    after_long_help = "\
Examples:
  herald tail order-1 order-2
  herald tail --broadcast --user --as alice
  herald tail order-1 --count 1 --timeout 30 | jq -r .message.state

Exit codes (`herald --help` lists all):
  4  --timeout passed before --count pushes arrived"
)]
pub(crate) struct Arguments {
    /// Entities to subscribe to
    #[arg(value_name = "ENTITY")]
    entities: Vec<EntityId>,

    /// Print pushes to the user
    #[arg(long)]
    user: bool,

    /// Print broadcasts
    #[arg(long)]
    broadcast: bool,

    /// Exit after this many pushes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Exit after this many seconds; with --count, that is a failure
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,

    #[command(flatten)]
    identity: Identity,
}

/// Prints pushes until --count or --timeout is reached, the output is closed, or Ctrl-C.
pub(crate) async fn run(arguments: &Arguments, target: &TargetArguments) -> Result<(), Failure> {
    let target = Target::find(target).await?;
    with_client(&target, &arguments.identity, async |client| {
        print(arguments, client).await
    })
    .await
}

/// Pushes of all subscriptions. An error comes with the name of its subscription.
type Pushes = SelectAll<BoxStream<'static, Result<Push, (String, SubscriptionError)>>>;

async fn print(arguments: &Arguments, client: &Client) -> Result<(), Failure> {
    let mut states = client.states();
    let mut pushes = subscribe(arguments, client).await?;
    note(format_args!(
        "subscribed to {}; press Ctrl-C to exit",
        names(arguments)
    ));
    let printing = async {
        let mut left = arguments.count;
        while left != Some(0) {
            tokio::select! {
                Some(next) = pushes.next() => match next {
                    Ok(push) => {
                        line(push.json())?;
                        left = left.map(|left| left - 1);
                    }
                    Err((name, error)) => report_error(&name, error, client)?,
                },
                _ = states.changed() => report_state(client)?,
            }
        }
        Ok(())
    };
    tokio::select! {
        printed = printing => printed,
        () = timed_out(arguments.timeout) => match arguments.count {
            Some(_) => Err(Failure::unavailable("--timeout passed before --count pushes arrived")),
            None => Ok(()),
        },
        () = output_closed() => Err(Failure::OutputClosed),
    }
}

async fn subscribe(arguments: &Arguments, client: &Client) -> Result<Pushes, Failure> {
    let mut all = SelectAll::new();
    if arguments.user {
        all.push(named(USER.to_owned(), client.notifications()));
    }
    if arguments.broadcast {
        all.push(named(BROADCASTS.to_owned(), client.broadcasts()));
    }
    for entity in &arguments.entities {
        let subscription = client.subscribe(entity.clone()).await;
        let subscription = subscription.map_err(|error| {
            request_failure(format_args!("cannot subscribe to {entity}"), &error)
        })?;
        all.push(named(entity.to_string(), subscription));
    }
    Ok(all)
}

/// Adds the name of a subscription to its errors.
fn named(
    name: String,
    pushes: impl Stream<Item = Result<Push, SubscriptionError>> + Send + 'static,
) -> BoxStream<'static, Result<Push, (String, SubscriptionError)>> {
    pushes
        .map(move |next| next.map_err(|error| (name.clone(), error)))
        .boxed()
}

fn names(arguments: &Arguments) -> String {
    let mut names: Vec<_> = arguments.entities.iter().map(EntityId::as_str).collect();
    names.extend(arguments.user.then_some(USER));
    names.extend(arguments.broadcast.then_some(BROADCASTS));
    names.join(", ")
}

/// Resolves after so many seconds. `None` never resolves.
async fn timed_out(after: Option<u64>) {
    match after {
        Some(seconds) => sleep(Duration::from_secs(seconds)).await,
        None => pending().await,
    }
}

/// Reports the error of a subscription. Fails if the subscription has ended.
fn report_error(name: &str, error: SubscriptionError, client: &Client) -> Result<(), Failure> {
    match (client.state(), error) {
        (ConnectionState::Stopped(reason), _) => Err(stop_failure(&reason)),
        (_, SubscriptionError::Ended(error)) => Err(request_failure(
            format_args!("the subscription to {name} ended"),
            &error,
        )),
        (_, lagged) => {
            note(format_args!("{name}: {lagged}"));
            Ok(())
        }
    }
}

/// Reports the state of the connection. Fails if the client has stopped for good.
fn report_state(client: &Client) -> Result<(), Failure> {
    match client.state() {
        ConnectionState::Stopped(reason) => return Err(stop_failure(&reason)),
        ConnectionState::Reconnecting { delay, .. } => {
            let reason = client.last_failure();
            let reason = reason.map_or_else(
                || "the connection broke".to_owned(),
                |reason| error_chain(&reason),
            );
            let delay = delay.unwrap_or_default().as_secs_f64();
            note(format_args!("{reason}; reconnecting in {delay:.1} s"));
        }
        ConnectionState::Open => note("reconnected"),
        _ => {}
    }
    Ok(())
}
