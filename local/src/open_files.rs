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
        ..limit.clone()
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, ?limit, "the limit of open files stays as it is");
    }
}

/// Returns what to do, if the error is that too many files are open.
pub(crate) fn explain(error: &io::Error) -> Option<String> {
    match Errno::from_io_error(error)? {
        Errno::MFILE => Some(format!(
            "this process has as many open files as it may have, {}, and every connection of a client or \
             a function is one: allow more with `ulimit -n` before herald-local starts (`ulimit -Hn` \
             says how many the shell may allow), or have fewer clients",
            allowed()
        )),
        Errno::NFILE => Some(
            "this machine has as many open files as it may have (on Linux: `sysctl fs.file-max`)"
                .to_owned(),
        ),
        _ => None,
    }
}

fn allowed() -> String {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or_else(|| "without limit".to_owned(), |limit| limit.to_string())
}
