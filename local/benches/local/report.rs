//! The report of all figures: tables for people, JSON for programs.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::{connects::Connects, echo::Echo, idle::Idle, machine::Machine, stack::Start};

/// All figures of one run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// The machine of the run.
    pub(crate) machine: Machine,
    /// The cost of a start.
    pub(crate) start: Start,
    /// Messages that are echoed.
    pub(crate) echo: Vec<Echo>,
    /// Clients that connect.
    pub(crate) connects: Vec<Connects>,
    /// Idle connections.
    pub(crate) idle: Vec<Idle>,
}

/// Returns the median of the figures.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Machine {
            cores,
            processor,
            platform,
            compiler,
            profile,
        } = &self.machine;
        writeln!(
            f,
            "{cores} cores, {processor}, {platform}; {compiler}, {profile}"
        )?;
        self.write_start(f)?;
        self.write_echo(f)?;
        self.write_connects(f)?;
        self.write_idle(f)
    }
}

impl Report {
    fn write_start(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Start {
            ready_ms,
            resident_bytes,
            resident_with_functions_bytes,
        } = &self.start;
        writeln!(
            f,
            "\n{:<15} {:>14} {:>16} {:>16}",
            "start", "ready after ms", "resident MB", "with functions"
        )?;
        writeln!(
            f,
            "{:<15} {ready_ms:>14.0} {:>16} {:>16}",
            "whole stack",
            or_dash(resident_bytes.map(megabytes), 1),
            or_dash(resident_with_functions_bytes.map(megabytes), 1),
        )
    }

    fn write_echo(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<15} {:>8} {:>10} {:>9} {:>9} {:>14} {:>8}",
            "echo", "clients", "echoes/s", "p50 ms", "p99 ms", "server CPU us", "of bare"
        )?;
        for row in &self.echo {
            writeln!(
                f,
                "{:<15} {:>8} {:>10.0} {:>9.3} {:>9.3} {:>14} {:>8}",
                row.server,
                row.clients,
                row.per_second,
                row.p50_ms,
                row.p99_ms,
                or_dash(row.server_cpu_us_per_echo, 1),
                or_dash(row.part_of_bare, 2),
            )?;
        }
        Ok(())
    }

    fn write_connects(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<15} {:>12} {:>8} {:>12}",
            "connects", "connections", "at once", "connects/s"
        )?;
        for row in &self.connects {
            writeln!(
                f,
                "{:<15} {:>12} {:>8} {:>12.0}",
                row.server, row.connections, row.at_once, row.per_second
            )?;
        }
        Ok(())
    }

    fn write_idle(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<15} {:>12} {:>22}",
            "idle", "connections", "bytes per connection"
        )?;
        for row in &self.idle {
            writeln!(
                f,
                "{:<15} {:>12} {:>22}",
                row.server,
                row.connections,
                or_dash(row.bytes_per_connection.map(|bytes| bytes as f64), 0),
            )?;
        }
        Ok(())
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Formats a figure with `decimals` decimals, or a dash for `None`.
fn or_dash(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.decimals$}"))
}
