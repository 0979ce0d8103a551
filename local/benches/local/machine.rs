//! The machine the figures are from, and how many connections it allows.

use std::{fs, process::Command, thread::available_parallelism};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

/// File descriptors that are no client's connection.
const OTHER_FILES: u64 = 200;

/// What the figures depend on.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    /// The cores this process may use.
    pub(crate) cores: usize,
    /// The model of the processor, or that it is not known.
    pub(crate) processor: String,
    /// The operating system and the instruction set.
    pub(crate) platform: String,
    /// The version of the compiler that is installed.
    pub(crate) compiler: String,
    /// How this program and its servers were compiled.
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
            "debug: the figures say nothing"
        } else {
            "release"
        },
    }
}

/// Raises the limit of open files, for this process and those it starts, so that it can hold
/// `wanted` connections; returns how many it can hold.
pub(crate) fn allow_connections(wanted: usize) -> anyhow::Result<usize> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let needed = wanted as u64 + OTHER_FILES;
    // None is no limit.
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
