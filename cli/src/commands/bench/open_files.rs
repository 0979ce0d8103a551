//! How many files this process may have open: each connection is one.

use rustix::process::{Resource, getrlimit};

use crate::failure::Failure;

/// What is open beside the connections: the terminal, the runtime's own, connections to AWS services.
const OTHERS: u64 = 64;

/// Errs, with what to do, if so many connections are more than this process may have.
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
        "{connections} connections are {needed} open files, and this shell allows {allowed}: raise it with \
         `ulimit -n {needed}`, here and where herald-local runs, or ask for fewer --connections"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_said_before_it_is_met() {
        assert_eq!(too_many(5000, None), None);
        assert_eq!(too_many(5000, Some(5064)), None);
        let sentence = too_many(5000, Some(5063)).expect("too many");
        assert!(sentence.contains("this shell allows 5063"), "{sentence}");
        assert!(sentence.contains("`ulimit -n 5064`"), "{sentence}");
    }
}
