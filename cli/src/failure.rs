//! How a command ends that is not done, and the exit code that says so. `docs/cli.md` has them all.

use std::{fmt, process::ExitCode};

/// Why a command was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It failed.
    Failed(anyhow::Error),
    /// What was asked for makes no sense together; what clap finds out by itself ends with the same
    /// code.
    Usage(anyhow::Error),
    /// The server does not let the caller in, or do this.
    Refused(anyhow::Error),
    /// Nobody could be reached, or nothing came in time.
    Unavailable(anyhow::Error),
    /// Some of it was done, and some was not.
    Partial(anyhow::Error),
    /// Ctrl-C.
    Interrupted,
    /// Whoever read standard output has gone, as `head` does: there is nothing left to do, and nobody
    /// to tell.
    NobodyReads,
}

impl Failure {
    /// A [`Failure::Usage`] in one sentence.
    pub(crate) fn usage(message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self::Usage(anyhow::Error::msg(message))
    }

    /// A [`Failure::Refused`] in one sentence.
    pub(crate) fn refused(message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self::Refused(anyhow::Error::msg(message))
    }

    /// A [`Failure::Unavailable`] in one sentence.
    pub(crate) fn unavailable(
        message: impl fmt::Display + fmt::Debug + Send + Sync + 'static,
    ) -> Self {
        Self::Unavailable(anyhow::Error::msg(message))
    }

    /// A [`Failure::Partial`] in one sentence.
    pub(crate) fn partial(message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self::Partial(anyhow::Error::msg(message))
    }

    /// The same kind of failure in other words.
    pub(crate) fn saying(
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
            Self::Interrupted | Self::NobodyReads => self,
        }
    }

    /// What went wrong, for whoever has no use for its kind.
    pub(crate) fn into_error(self) -> anyhow::Error {
        match self {
            Self::Failed(error)
            | Self::Usage(error)
            | Self::Refused(error)
            | Self::Unavailable(error)
            | Self::Partial(error) => error,
            Self::Interrupted => anyhow::Error::msg("interrupted"),
            Self::NobodyReads => anyhow::Error::msg("nobody reads standard output"),
        }
    }

    /// Tells the person at the terminal, on standard error.
    pub(crate) fn tell(&self) {
        match self {
            Self::Failed(error)
            | Self::Usage(error)
            | Self::Refused(error)
            | Self::Unavailable(error)
            | Self::Partial(error) => crate::output::error(format_args!("{error:#}")),
            Self::Interrupted | Self::NobodyReads => {}
        }
    }

    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::NobodyReads => 0,
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
