//! The number of connections that the limit of open files allows.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The file descriptors for files other than the clients' connections.
const OTHER_FILES: u64 = 200;

/// Raises the limit of open files of this process and its children to hold `wanted` connections.
/// Returns the number of connections that fit.
pub(crate) fn allow_connections(wanted: usize) -> anyhow::Result<usize> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let needed = wanted as u64 + OTHER_FILES;
    // `None` means unlimited.
    let allowed = maximum.map_or(needed, |maximum| maximum.min(needed));
    if current.is_some_and(|current| current < allowed) {
        let raised = Rlimit {
            current: Some(allowed),
            maximum,
        };
        setrlimit(Resource::Nofile, raised)?;
    }
    Ok(wanted.min(usize::try_from(allowed.saturating_sub(OTHER_FILES))?))
}
