//! What is wrong with a template, where, and what to do about it.

use std::{io, path::PathBuf};

use super::yaml::Position;

/// Why a template cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file cannot be read.
    #[error("the template {} cannot be read: start in its folder, or name it with --template", file.display())]
    Read {
        /// The template.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not YAML, or not of one piece.
    #[error("{}:{line}:{column}: {reason}", file.display())]
    Syntax {
        /// The template.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// Something in it is wrong, or is needed and not known.
    #[error("{}:{line}:{column}: {path}: {reason}", file.display())]
    Invalid {
        /// The template.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// Where it stands, e.g. `Resources.Queue.Properties.VisibilityTimeout`.
        path: String,
        /// What is wrong and what to do.
        reason: String,
    },
}

/// An error within a template whose file is not known yet.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) position: Position,
    /// Empty for a syntax error.
    pub(super) path: String,
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

    pub(super) fn into_error(self, file: PathBuf) -> TemplateError {
        let Position { line, column } = self.position;
        let reason = self.reason;
        if self.path.is_empty() {
            return TemplateError::Syntax {
                file,
                line,
                column,
                reason,
            };
        }
        TemplateError::Invalid {
            file,
            line,
            column,
            path: self.path,
            reason,
        }
    }
}
