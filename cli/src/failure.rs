//! The failure of a command, with its exit code. `docs/cli.md` lists the codes.

mod aws;
mod client;

use std::{fmt, process::ExitCode};

pub(crate) use aws::aws_failure;
pub(crate) use client::{attempt_failure, request_failure, stop_failure};

use crate::output;

/// The failure of a command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Any failure that is none of the others.
    Failed(anyhow::Error),
    /// The arguments or the environment are wrong. Errors that clap finds have the same exit code.
    Usage(anyhow::Error),
    /// The server refuses the credentials, or the operation.
    Refused(anyhow::Error),
    /// The server could not be reached, or something did not arrive in time.
    Unavailable(anyhow::Error),
    /// Some items succeeded and some failed.
    Partial(anyhow::Error),
    /// The user pressed Ctrl-C.
    Interrupted,
    /// The reader of standard output has closed it, as `head` does: there is nothing left to do.
    OutputClosed,
}

impl Failure {
    /// Makes a [`Failure::Usage`] from one sentence.
    pub(crate) fn usage(message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self::Usage(anyhow::Error::msg(message))
    }

    /// Makes a [`Failure::Refused`] from one sentence.
    pub(crate) fn refused(message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self::Refused(anyhow::Error::msg(message))
    }

    /// Makes a [`Failure::Unavailable`] from one sentence.
    pub(crate) fn unavailable(
        message: impl fmt::Display + fmt::Debug + Send + Sync + 'static,
    ) -> Self {
        Self::Unavailable(anyhow::Error::msg(message))
    }

    /// Makes a [`Failure::Partial`] from one sentence.
    pub(crate) fn partial(message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self::Partial(anyhow::Error::msg(message))
    }

    /// Replaces the message and keeps the kind.
    pub(crate) fn with_message(
        self,
        message: impl fmt::Display + fmt::Debug + Send + Sync + 'static,
    ) -> Self {
        let error = anyhow::Error::msg(message);
        match self {
            Self::Failed(_) => Self::Failed(error),
            Self::Usage(_) => Self::Usage(error),
            Self::Refused(_) => Self::Refused(error),
            Self::Unavailable(_) => Self::Unavailable(error),
            Self::Partial(_) => Self::Partial(error),
            Self::Interrupted | Self::OutputClosed => self,
        }
    }

    /// Returns the error without its kind.
    pub(crate) fn into_error(self) -> anyhow::Error {
        match self {
            Self::Failed(error)
            | Self::Usage(error)
            | Self::Refused(error)
            | Self::Unavailable(error)
            | Self::Partial(error) => error,
            Self::Interrupted => anyhow::Error::msg("interrupted"),
            Self::OutputClosed => anyhow::Error::msg("standard output is closed"),
        }
    }

    /// Prints the error on standard error.
    pub(crate) fn print(&self) {
        match self {
            Self::Failed(error)
            | Self::Usage(error)
            | Self::Refused(error)
            | Self::Unavailable(error)
            | Self::Partial(error) => output::error(format_args!("{error:#}")),
            Self::Interrupted | Self::OutputClosed => {}
        }
    }

    /// Returns the process's exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::OutputClosed => 0,
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(_) => 3,
            Self::Unavailable(_) => 4,
            Self::Partial(_) => 5,
            Self::Interrupted => 130,
        })
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
