//! The machine that the figures are from, and the number of connections that it allows.

use std::{fs, process::Command, thread::available_parallelism};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

/// File descriptors for everything but the clients' connections.
const OTHER_FILES: u64 = 200;

/// The machine, compiler and profile of the figures.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    /// The cores that this process may use.
    pub(crate) cores: usize,
    /// The model of the processor, or `unknown processor`.
    pub(crate) processor: String,
    /// The operating system and the instruction set.
    pub(crate) platform: String,
    /// The version of the installed compiler.
    pub(crate) compiler: String,
    /// The profile of this program and its servers.
    pub(crate) profile: &'static str,
}

/// Describes this machine.
pub(crate) fn describe() -> Machine {
    Machine {
        cores: available_parallelism().map_or(0, usize::from),
        processor: processor().unwrap_or_else(|| "unknown processor".to_owned()),
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        compiler: compiler().unwrap_or_else(|| "unknown compiler".to_owned()),
        profile: if cfg!(debug_assertions) {
            "debug: the figures mean nothing"
        } else {
            "release"
        },
    }
}

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

fn processor() -> Option<String> {
    let description = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = description
        .lines()
        .find_map(|line| line.strip_prefix("model name"))?;
    Some(line.trim_start_matches([' ', '\t', ':']).to_owned())
}

fn compiler() -> Option<String> {
    let output = Command::new("rustc").arg("-V").output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
