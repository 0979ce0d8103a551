//! The part of the report about the drop of all connections.

use serde::Serialize;

use super::{super::run::Run, Times, row};
use crate::target::Usage;

/// The drop of all connections, and their return.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct ReconnectReport {
    dropped: usize,
    /// The connections that returned with all their subscriptions.
    live: usize,
    /// The times from the drop to the last acknowledged subscription.
    times: Times,
    /// The deliveries of events that were published while a connection was away.
    missed: u64,
    /// Those of them that arrived later.
    missed_delivered: u64,
    /// The work of the stack from the drop to the end of the run, with that for the events. `None` if the stack does
    /// not tell it.
    usage: Option<Usage>,
}

impl ReconnectReport {
    /// Returns the report of the drop in a run. `None` without one.
    pub(super) fn of(run: &Run) -> Option<Self> {
        let reconnect = run.reconnect.as_ref()?;
        let missed = run.account.missed(|connection| reconnect.away(connection));
        Some(Self {
            dropped: reconnect.dropped(),
            live: reconnect.returned(),
            times: Times::of(reconnect.times()),
            missed: missed.expected,
            missed_delivered: missed.delivered,
            usage: run.usage.clone(),
        })
    }

    /// Returns the number of connections that did not return.
    pub(super) fn away(&self) -> usize {
        self.dropped - self.live
    }

    pub(super) fn text(&self) -> String {
        let Self {
            dropped,
            live,
            times,
            missed,
            missed_delivered,
            usage,
        } = self;
        let mut text = format!(
            "reconnect    {live} of {dropped} live again; {missed_delivered} of {missed} missed deliveries arrived\n"
        );
        text += &row("  until live", times);
        text += &match usage {
            Some(usage) => work(usage),
            None => {
                "  work       unknown: only a herald-local that was not restarted counts it; on AWS, CloudWatch \
                     has the metrics of the functions, the tables and the API\n"
                    .to_owned()
            }
        };
        text
    }
}

fn work(usage: &Usage) -> String {
    let Usage {
        frames_received,
        frames_sent,
        invocations,
        read_units,
        write_units,
    } = usage;
    let invocations: Vec<_> = invocations
        .iter()
        .map(|(function, count)| format!("{count} of {function}"))
        .collect();
    format!(
        "  work       {frames_received} frames received, {frames_sent} sent; {read_units} read units, {write_units} \
         write units\n  invocations  {}\n",
        invocations.join(", ")
    )
}
