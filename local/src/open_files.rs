//! The limit of open files: every connection is one, and every function process has some.

use std::io;

use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

/// Raises the limit of this process, and of the functions it starts, as far as it may.
pub fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, ?limit, "the limit of open files stays as it is");
    }
}

/// Returns the error with what to do, if it is that too many files are open.
pub(crate) fn explained(error: io::Error) -> io::Error {
    let explanation = match Errno::from_io_error(&error) {
        Some(Errno::MFILE) => format!(
            "this process has as many open files as it may have, {}, and every connection of a client or \
             a function is one: allow more with `ulimit -n` before herald-local starts (`ulimit -Hn` \
             says how many the shell may allow), or have fewer clients",
            allowed()
        ),
        Some(Errno::NFILE) => {
            "this machine has as many open files as it may have (on Linux: `sysctl fs.file-max`)"
                .to_owned()
        }
        _ => return error,
    };
    io::Error::new(error.kind(), explanation)
}

fn allowed() -> String {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or_else(|| "without limit".to_owned(), |limit| limit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_error_about_open_files_says_how_to_allow_more() {
        let text = explained(Errno::MFILE.into()).to_string();
        assert!(text.contains("`ulimit -n`"), "{text}");
        let other = explained(Errno::NOMEM.into());
        assert_eq!(other.raw_os_error(), Some(Errno::NOMEM.raw_os_error()));
    }
}
