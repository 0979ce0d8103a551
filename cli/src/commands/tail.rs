//! `herald tail`: pushes, as lines of JSON.

mod reader;

use std::{future::pending, time::Duration};

use clap::{ArgGroup, Args};
use futures_util::{StreamExt, stream::SelectAll};
use herald_client::{Client, EntityId, Next, Position, SubscribeOptions};
use herald_shared::protocol::LogName;
use tokio::time::sleep;

use super::{
    connected,
    live::{report_error, report_state},
    log::{parse_position, report_end, report_lost, words},
    until_interrupted,
};
use crate::{
    failure::{Failure, request_failure},
    output::{json_text, note, output_closed},
    target::{Identity, Target, TargetArguments},
};
use reader::{Events, Reader};

/// Print pushes, one line of JSON each
///
/// Herald reconnects after the connection breaks. It then gets every message that it missed of entities, users and
/// broadcasts with a log, or reports that messages are lost. Without a log, pushes in the meantime are lost.
///
/// `epoch` and `offset` of a push are its position in the log. At its end, herald prints the position of each entity, from
/// which `--since EPOCH/OFFSET` goes on.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("audience").required(true).multiple(true).args(["entities", "user", "broadcast"]),
    after_long_help = "\
Examples:
  herald tail order-1 order-2
  herald tail --broadcast --user --as alice
  herald tail order-1 --count 1 --timeout 30 | jq -r .message.state
  herald tail order-1 --since k3J9x2Qa/42
  herald tail order-1 --rewind 20 --json

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

    /// Print every message of the entity's log since this position; 0 is its start
    #[arg(long, value_name = "EPOCH/OFFSET", value_parser = parse_position, requires = "entities")]
    since: Option<Position>,

    /// Begin with the last N messages of each entity's log, at most 300
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=300), requires = "entities",
        conflicts_with = "since")]
    rewind: Option<u64>,

    /// Exit after this many pushes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Exit this many seconds after subscribing; with --count, that is a failure
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,

    /// Print losses and the last positions as lines of JSON, too: `lost` and `end`
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    identity: Identity,
}

/// Prints pushes until --count or --timeout is reached, the output is closed, or Ctrl-C.
pub(crate) async fn run(arguments: &Arguments, target: &TargetArguments) -> Result<(), Failure> {
    let start = start(arguments)?;
    let target = Target::find(target).await?;
    if arguments.user {
        target.require_users()?;
    }
    connected(&target, &arguments.identity, async |client| {
        let mut tail = until_interrupted(Tail::subscribe(arguments, &start, client)).await?;
        let ended = until_interrupted(tail.print(arguments, client)).await;
        match ended {
            Err(Failure::OutputClosed) => ended,
            ended => ended.and(tail.report_ends(arguments.json)),
        }
    })
    .await
}

/// Returns the start of the subscriptions. Fails if `--since` names a position for several entities.
fn start(arguments: &Arguments) -> Result<SubscribeOptions, Failure> {
    let options = SubscribeOptions::new();
    match (&arguments.since, arguments.rewind) {
        (Some(position), _) if arguments.entities.len() > 1 && position.epoch.is_some() => {
            Err(Failure::usage(
                "--since needs exactly one ENTITY, because each entity has its own positions",
            ))
        }
        (Some(position), _) => Ok(options.recover(position.clone())),
        (None, Some(messages)) => Ok(options.rewind(messages as usize)),
        (None, None) => Ok(options),
    }
}

/// The logs that are printed, each with the position after what was printed.
struct Tail {
    logs: Vec<(LogName, Option<Position>)>,
    events: Events,
}

impl Tail {
    async fn subscribe(
        arguments: &Arguments,
        start: &SubscribeOptions,
        client: &Client,
    ) -> Result<Self, Failure> {
        let mut tail = Self {
            logs: Vec::new(),
            events: SelectAll::new(),
        };
        if arguments.user {
            tail.add(LogName::User, Reader::Feed(client.notifications()));
        }
        if arguments.broadcast {
            tail.add(LogName::Everyone, Reader::Feed(client.broadcasts()));
        }
        for entity in &arguments.entities {
            let subscription = client.subscribe_with(entity.clone(), start.clone()).await;
            let subscription = subscription.map_err(|error| {
                request_failure(format_args!("cannot subscribe to {entity}"), &error)
            })?;
            tail.add(
                LogName::Entity(entity.clone()),
                Reader::Entity(subscription),
            );
        }
        let entities = arguments.entities.len();
        let (feeds, entities) = tail.logs.split_at(tail.logs.len() - entities);
        let names = entities.iter().chain(feeds).map(|(log, _)| words(log));
        note(format_args!(
            "subscribed to {}; press Ctrl-C to exit",
            names.collect::<Vec<_>>().join(", ")
        ));
        Ok(tail)
    }

    fn add(&mut self, log: LogName, reader: Reader) {
        let index = self.logs.len();
        self.logs.push((log, reader.position()));
        self.events.push(reader.events(index));
    }

    async fn print(&mut self, arguments: &Arguments, client: &Client) -> Result<(), Failure> {
        let timeout = arguments.timeout;
        tokio::select! {
            printed = self.print_count(arguments, client) => printed,
            () = timed_out(timeout) => match arguments.count {
                Some(_) => Err(Failure::unavailable("--timeout passed before --count pushes arrived")),
                None => Ok(()),
            },
            () = output_closed() => Err(Failure::OutputClosed),
        }
    }

    async fn print_count(&mut self, arguments: &Arguments, client: &Client) -> Result<(), Failure> {
        let mut states = client.states();
        let mut left = arguments.count;
        while left != Some(0) {
            tokio::select! {
                Some((index, next)) = self.events.next() => {
                    let (log, position) = &mut self.logs[index];
                    match next {
                        Ok(Next::Message(push)) => {
                            json_text(push.json())?;
                            left = left.map(|left| left - 1);
                            *position = push.position().cloned().or_else(|| position.take());
                        }
                        Ok(Next::Lost(from)) => {
                            report_lost(log, from.as_ref(), arguments.json)?;
                            *position = from;
                        }
                        Ok(_) => {}
                        Err(error) => report_error(log, error, client)?,
                    }
                },
                _ = states.changed() => report_state(client)?,
            }
        }
        Ok(())
    }

    /// Reports the position of each entity, from which `--since` goes on.
    fn report_ends(&self, as_json: bool) -> Result<(), Failure> {
        let known = self.logs.iter().filter_map(|(log, position)| {
            let position = position
                .as_ref()
                .filter(|_| matches!(log, LogName::Entity(_)));
            Some((log, position?))
        });
        for (log, position) in known {
            report_end(log, position, as_json)?;
        }
        Ok(())
    }
}

/// Resolves after this many seconds, or never for `None`.
async fn timed_out(after: Option<u64>) {
    match after {
        Some(seconds) => sleep(Duration::from_secs(seconds)).await,
        None => pending().await,
    }
}
