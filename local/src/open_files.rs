//! The limit of open files. Every connection is an open file, and every function process needs
//! some.

use std::io;

use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

/// Raises the limit of this process and of the functions it starts to the allowed maximum.
pub fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, ?limit, "failed to raise the limit of open files");
    }
}

/// Adds a remedy to an error about too many open files. Other errors stay unchanged.
pub(crate) fn explained(error: io::Error) -> io::Error {
    let explanation = match Errno::from_io_error(&error) {
        Some(Errno::MFILE) => format!(
            "herald-local reached its limit of open files, {}; every connection of a client or a \
             function is one; raise the limit with `ulimit -n` before herald-local starts (`ulimit -Hn` \
             shows the maximum), or use fewer clients",
            allowed()
        ),
        Some(Errno::NFILE) => {
            "this machine reached its limit of open files; raise it (on Linux: `sysctl fs.file-max`)"
                .to_owned()
        }
        _ => return error,
    };
    io::Error::new(error.kind(), explanation)
}

fn allowed() -> String {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_error_about_open_files_has_a_remedy() {
        let text = explained(Errno::MFILE.into()).to_string();
        assert!(text.contains("`ulimit -n`"), "{text}");
        let other = explained(Errno::NOMEM.into());
        assert_eq!(other.raw_os_error(), Some(Errno::NOMEM.raw_os_error()));
    }
}
