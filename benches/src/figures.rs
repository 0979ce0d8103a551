//! The line of JSON that a bench prints for programs.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    Run,
    machine::{self, Machine},
};

/// The figures of a run, which [`print`](Self::print) writes as one line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    bench: &'static str,
    /// True if the figures only show that the bench works.
    short: bool,
    /// The folder of the functions' binaries, if the bench did not build them.
    binaries: Option<PathBuf>,
    machine: Machine,
    figures: Vec<Figure>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Figure {
    name: &'static str,
    /// The case: the values of the table's row.
    #[serde(rename = "case")]
    row: Map<String, Value>,
    value: f64,
    unit: &'static str,
}

impl Figures {
    /// Returns the line of a bench without figures.
    pub fn new(bench: &'static str, run: &Run) -> Self {
        Self {
            bench,
            short: run.short,
            binaries: run.binaries.clone(),
            machine: machine::describe(),
            figures: Vec::new(),
        }
    }

    /// Adds the figures of one row: each is a name, a value and its unit. `row` is an object with what the row measures.
    pub fn add<const N: usize>(
        &mut self,
        row: &Value,
        figures: [(&'static str, f64, &'static str); N],
    ) {
        for (name, value, unit) in figures {
            self.figures.push(Figure {
                name,
                row: row.as_object().cloned().unwrap_or_default(),
                value,
                unit,
            });
        }
    }

    /// Prints the line on standard output.
    ///
    /// # Errors
    ///
    /// Returns an error if a value is not a number: the bench has not measured it.
    pub fn print(&self) -> anyhow::Result<()> {
        for figure in &self.figures {
            let Figure {
                name, row, value, ..
            } = figure;
            anyhow::ensure!(value.is_finite(), "{name} of {row:?} is {value}");
        }
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}
