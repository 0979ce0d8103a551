//! The arguments of a bench.

use std::{env, path::PathBuf};

use anyhow::{Context, bail};

/// The extent of a bench, from its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// True if each part runs once and with little work, to show that it works.
    pub short: bool,
    /// The folder of the functions' binaries. `None` if the bench builds them.
    pub binaries: Option<PathBuf>,
    part: Option<String>,
}

impl Run {
    /// Reads the arguments of this process. `parts` are the names of the bench's parts.
    ///
    /// Returns `None`, after a hint on standard error, without the argument `--bench`, which `cargo bench` adds: `cargo
    /// test --all-targets` runs benches too and must not take minutes.
    ///
    /// # Errors
    ///
    /// Returns an error if an argument is unknown.
    pub fn from_arguments(parts: &[&str]) -> anyhow::Result<Option<Self>> {
        let mut arguments = env::args().skip(1);
        if !env::args().any(|argument| argument == "--bench") {
            eprintln!("nothing is measured without `cargo bench`: docs/benchmarks.md");
            return Ok(None);
        }
        let mut run = Self::default();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => {}
                "--short" => run.short = true,
                "--binaries" => {
                    let folder = arguments.next().context("--binaries needs a folder")?;
                    run.binaries = Some(folder.into());
                }
                part if parts.contains(&part) => run.part = Some(argument),
                _ => bail!(
                    "the bench does not know the argument {argument}; it knows --short, --binaries FOLDER and the parts \
                     {parts:?}"
                ),
            }
        }
        Ok(Some(run))
    }

    /// Returns whether this part of the bench runs: every part, unless an argument names one.
    pub fn includes(&self, part: &str) -> bool {
        self.part.as_deref().is_none_or(|only| only == part)
    }

    /// Returns `full`, or `short` for a short run.
    pub fn of<T>(&self, full: T, short: T) -> T {
        if self.short { short } else { full }
    }
}
