//! The limit of open files: each connection is one.

use rustix::process::{Resource, getrlimit};

use crate::failure::Failure;

/// Open files beside the connections: the terminal, the runtime's files, connections to AWS services.
const OTHERS: u64 = 64;

/// Fails with [`Failure::Usage`] if this process may not open enough connections.
pub(super) fn check(connections: usize) -> Result<(), Failure> {
    let allowed = getrlimit(Resource::Nofile).current;
    match too_many(connections as u64, allowed) {
        None => Ok(()),
        Some(sentence) => Err(Failure::usage(sentence)),
    }
}

fn too_many(connections: u64, allowed: Option<u64>) -> Option<String> {
    let needed = connections + OTHERS;
    let allowed = allowed.filter(|allowed| *allowed < needed)?;
    Some(format!(
        "--connections {connections} needs {needed} open files, and the limit is {allowed}: run `ulimit -n {needed}` \
         here and where herald-local runs, or lower --connections"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_names_the_limit_and_the_needed_files() {
        assert_eq!(too_many(5000, None), None);
        assert_eq!(too_many(5000, Some(5064)), None);
        let sentence = too_many(5000, Some(5063)).expect("too many");
        assert!(sentence.contains("the limit is 5063"), "{sentence}");
        assert!(sentence.contains("`ulimit -n 5064`"), "{sentence}");
    }
}
