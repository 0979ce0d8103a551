//! `herald history`: the messages of a log.

use clap::{ArgGroup, Args};
use herald_client::{Client, EntityId, Excerpt, History, LogName, Position, Push};
use serde_json::value::RawValue;

use super::{
    log::{parse_position, position_text, report_end, report_lost, words},
    with_client,
};
use crate::{
    failure::{Failure, request_failure},
    output::{json_text, line, note, on_one_line},
    target::{Identity, Target, TargetArguments},
};

/// The most messages of a reply.
const REPLY_LIMIT: u64 = 300;

/// The messages that are printed without a selection and without --limit.
const DEFAULT_LAST: u64 = 20;

/// Print the messages of a log, oldest first
///
/// Prints the position, the time and the message of each. At its end, herald prints the position from which
/// `--since EPOCH/OFFSET` goes on. Needs the permission `history`, except for the log of your own user.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("log").required(true).args(["entity", "user", "everyone"]),
    group = ArgGroup::new("selection").args(["last", "since", "before"]),
    after_long_help = "\
Examples:
  herald history order-1
  herald history room-1 --last 500 --json | jq -r .message.text
  herald history order-1 --since k3J9x2Qa/42 --limit 100
  herald history room-1 --before 190 --limit 50
  herald history --user --as alice

Exit codes (`herald --help` lists all):
  1  messages since the position are lost, or there is no log"
)]
pub(crate) struct Arguments {
    /// Entity whose log is read
    #[arg(value_name = "ENTITY")]
    entity: Option<EntityId>,

    /// Read the log of the connection's user
    #[arg(long)]
    user: bool,

    /// Read the log of broadcasts
    #[arg(long)]
    everyone: bool,

    /// Print the last N messages [default: 20]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "limit")]
    last: Option<u64>,

    /// Print the messages since this position; 0 is the start of the log
    #[arg(long, value_name = "EPOCH/OFFSET", value_parser = parse_position)]
    since: Option<Position>,

    /// Print messages before this offset, the nearest ones
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(u64).range(1..))]
    before: Option<u64>,

    /// Print at most N messages [default: 20 with --before, all with --since]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,

    /// Print the messages as lines of JSON, as they were pushed
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    identity: Identity,
}

/// Prints the selected messages.
pub(crate) async fn run(arguments: &Arguments, target: &TargetArguments) -> Result<(), Failure> {
    let target = Target::find(target).await?;
    if arguments.user {
        target.require_users()?;
    }
    let log = match &arguments.entity {
        Some(entity) => LogName::Entity(entity.clone()),
        None if arguments.user => LogName::User,
        None => LogName::Everyone,
    };
    with_client(&target, &arguments.identity, async |client| {
        let reading = Reading {
            client,
            log,
            as_json: arguments.json,
        };
        let end = match &arguments.since {
            Some(since) => reading.print_since(since, arguments.limit).await?,
            None => reading.print_last(arguments).await?,
        };
        match end {
            Some(position) => report_end(&reading.log, &position, arguments.json),
            None => Ok(()),
        }
    })
    .await
}

struct Reading<'a> {
    client: &'a Client,
    log: LogName,
    as_json: bool,
}

impl Reading<'_> {
    /// Prints the messages since a position, reply by reply. Returns the position after them.
    async fn print_since(
        &self,
        since: &Position,
        limit: Option<u64>,
    ) -> Result<Option<Position>, Failure> {
        let mut position = since.clone();
        let mut left = limit.unwrap_or(u64::MAX);
        loop {
            let excerpt = self.read(History::since(&position)).await?;
            if excerpt.is_lost {
                return Err(self.lost(&position, excerpt.position.as_ref()));
            }
            for push in &excerpt.messages {
                self.print(push)?;
                position = push.position().cloned().unwrap_or(position);
                left -= 1;
                if left == 0 {
                    return Ok(Some(position));
                }
            }
            let reached = excerpt.position.unwrap_or_else(|| position.clone());
            if !excerpt.more || reached == position && excerpt.messages.is_empty() {
                return Ok(Some(reached));
            }
            position = reached;
        }
    }

    /// Prints the last messages, or those before an offset. Returns the position after them.
    async fn print_last(&self, arguments: &Arguments) -> Result<Option<Position>, Failure> {
        let count = arguments.last.or(arguments.limit).unwrap_or(DEFAULT_LAST);
        let first = match arguments.before {
            Some(offset) => History::before(offset, at_most(count)),
            None => History::last(at_most(count)),
        };
        let newest = self.read(first).await?;
        let end = newest.position;
        let mut replies = vec![newest.messages];
        let mut left = count;
        // A reply ends at its limits of messages and bytes. The messages before it are in further replies.
        while let Some(first) = replies.last().and_then(|messages| messages.first()) {
            left = left.saturating_sub(replies.last().map_or(0, Vec::len) as u64);
            let offset = first.position().map_or(0, |position| position.offset);
            if left == 0 || offset <= 1 {
                break;
            }
            let older = self.read(History::before(offset, at_most(left))).await?;
            replies.push(older.messages);
        }
        let messages = replies.iter().rev().flatten();
        messages.clone().try_for_each(|push| self.print(push))?;
        if messages.count() == 0 {
            note(format_args!("no messages of {}", words(&self.log)));
        }
        Ok(end)
    }

    async fn read(&self, history: History) -> Result<Excerpt, Failure> {
        let read = self.client.history(self.log.clone(), history).await;
        read.map_err(|error| {
            let log = words(&self.log);
            request_failure(format_args!("cannot read the history of {log}"), &error)
        })
    }

    fn print(&self, push: &Push) -> Result<(), Failure> {
        if self.as_json {
            return json_text(push.json());
        }
        let position = push.position().map(position_text).unwrap_or_default();
        let time = push.time().unwrap_or("-");
        let message: Box<RawValue> = push.message()?;
        line(format_args!(
            "{position:<14}  {time:<24}  {}",
            on_one_line(message.get())
        ))
    }

    /// Reports that messages since a position are lost, and returns the failure.
    fn lost(&self, since: &Position, end: Option<&Position>) -> Failure {
        if self.as_json
            && let Err(failure) = report_lost(&self.log, end, true)
        {
            return failure;
        }
        let log = words(&self.log);
        let since = position_text(since);
        Failure::Failed(anyhow::anyhow!(
            "the log does not have all messages of {log} since {since}: read those that it has with --last"
        ))
    }
}

/// Returns a number of messages that a request may ask for.
fn at_most(messages: u64) -> usize {
    messages.min(REPLY_LIMIT) as usize
}
