//! The problems of a template: each with its place, its path and the remedy.

use std::{
    cell::RefCell,
    fmt::{self, Display, Formatter},
    io,
    path::{Path, PathBuf},
};

use super::yaml::Position;

/// A template that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file cannot be read.
    #[error(
        "the template {} cannot be read: run herald-local in its folder, or name the file with --template",
        file.display()
    )]
    Read {
        /// The template.
        file: PathBuf,
        /// The operating system's error.
        #[source]
        source: io::Error,
    },
    /// The file of rules cannot be read.
    #[error(
        "the rules in {} cannot be read: name a CloudFormation template with --rules",
        file.display()
    )]
    ReadRules {
        /// The template.
        file: PathBuf,
        /// The operating system's error.
        #[source]
        source: io::Error,
    },
    /// The file is not YAML, or something in it is wrong or not supported.
    #[error("{}", listing(file, problems))]
    Invalid {
        /// The template.
        file: PathBuf,
        /// All its problems, in the order of the file.
        problems: Vec<Problem>,
    },
}

/// One problem of a template. Its text begins with line and column, both from 1, and the path, e.g.
/// `12:7: Resources.Queue.Properties.VisibilityTimeout`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub(super) position: Position,
    /// Empty if the text is not YAML, or no template at all.
    pub(super) path: String,
    /// The mistake and its remedy.
    pub(super) reason: String,
}

impl Problem {
    pub(super) fn new(
        position: Position,
        path: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            position,
            path: path.into(),
            reason: reason.into(),
        }
    }
}

impl Display for Problem {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        write!(formatter, "{line}:{column}: ")?;
        if !self.path.is_empty() {
            write!(formatter, "{}: ", self.path)?;
        }
        formatter.write_str(&self.reason)
    }
}

/// The problems found so far. Readers report a problem and continue, so that one start lists them all.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    /// Adds a problem, unless one with the same place and reason is known: a name that is wrong is wrong
    /// wherever it is used.
    pub(super) fn report(&self, problem: Problem) {
        let mut problems = self.0.borrow_mut();
        let is_same =
            |known: &Problem| known.position == problem.position && known.reason == problem.reason;
        if !problems.iter().any(is_same) {
            problems.push(problem);
        }
    }

    /// Returns the value of a result, or reports its problem.
    pub(super) fn value<T>(&self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.report(problem)).ok()
    }

    /// Returns whether no problem was found so far.
    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Returns all problems in the order of the file.
    pub(super) fn into_sorted(self) -> Vec<Problem> {
        let mut problems = self.0.into_inner();
        problems.sort_by_key(|problem| (problem.position.line, problem.position.column));
        problems
    }
}

fn listing(file: &Path, problems: &[Problem]) -> String {
    let file = file.display();
    match problems {
        [problem] => format!("{file}:{problem}"),
        problems => {
            let lines = problems
                .iter()
                .map(|problem| format!("\n  {file}:{problem}"));
            let lines: String = lines.collect();
            format!("{file} has {} problems:{lines}", problems.len())
        }
    }
}
