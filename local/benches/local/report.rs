//! The report of all figures: tables for people, a line of JSON for programs.

use std::fmt::{self, Display, Formatter};

use herald_benches::{Figures, Run, machine::Machine};
use serde_json::json;

use crate::{connects::Connects, echo::Echo, idle::Idle, stack::Start};

/// All figures of one run.
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

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        self.write_start(f)?;
        self.write_echo(f)?;
        self.write_connects(f)?;
        self.write_idle(f)
    }
}

impl Report {
    /// Returns the figures, without those that the system does not report.
    pub(crate) fn figures(&self, run: &Run) -> Figures {
        let mut figures = Figures::new("local", run);
        let whole = json!({"part": "start", "server": "whole stack"});
        figures.add(&whole, [("ready", self.start.ready_ms, "ms")]);
        for (name, bytes) in [
            ("residentMemory", self.start.resident_bytes),
            (
                "residentMemoryWithFunctions",
                self.start.resident_with_functions_bytes,
            ),
        ] {
            if let Some(bytes) = bytes {
                figures.add(&whole, [(name, megabytes(bytes), "MB")]);
            }
        }
        for row in &self.echo {
            let case = json!({"part": "echo", "server": row.server, "clients": row.clients});
            figures.add(
                &case,
                [
                    ("echoes", row.per_second, "1/s"),
                    ("p50", row.p50_ms, "ms"),
                    ("p99", row.p99_ms, "ms"),
                ],
            );
            if let Some(micros) = row.server_cpu_us_per_echo {
                figures.add(&case, [("serverProcessorTimePerEcho", micros, "µs")]);
            }
            if let Some(micros) = row.functions_cpu_us_per_echo {
                figures.add(&case, [("functionsProcessorTimePerEcho", micros, "µs")]);
            }
        }
        for row in &self.connects {
            let case = json!({"part": "connects", "server": row.server, "atOnce": row.at_once});
            figures.add(&case, [("connects", row.per_second, "1/s")]);
        }
        for row in &self.idle {
            let case =
                json!({"part": "idle", "server": row.server, "connections": row.connections});
            if let Some(bytes) = row.bytes_per_connection {
                figures.add(&case, [("memoryPerConnection", bytes as f64, "B")]);
            }
        }
        figures
    }

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
            "\n{:<15} {:>8} {:>10} {:>9} {:>9} {:>14} {:>17} {:>8}",
            "echo",
            "clients",
            "echoes/s",
            "p50 ms",
            "p99 ms",
            "server CPU us",
            "functions CPU us",
            "of bare"
        )?;
        for row in &self.echo {
            writeln!(
                f,
                "{:<15} {:>8} {:>10.0} {:>9.3} {:>9.3} {:>14} {:>17} {:>8}",
                row.server,
                row.clients,
                row.per_second,
                row.p50_ms,
                row.p99_ms,
                or_dash(row.server_cpu_us_per_echo, 1),
                or_dash(row.functions_cpu_us_per_echo, 1),
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
