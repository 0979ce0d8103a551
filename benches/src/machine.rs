//! The machine that the figures are from.

use std::{
    fmt::{self, Display, Formatter},
    fs,
    process::Command,
    thread::available_parallelism,
};

use serde::Serialize;

/// The machine, compiler and profile of the figures.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// The cores that this process may use.
    pub cores: usize,
    /// The model of the processor, or `unknown processor`.
    pub processor: String,
    /// The operating system and the instruction set.
    pub platform: String,
    /// The version of the installed compiler.
    pub compiler: String,
    /// The profile of the bench, and of what it builds.
    pub profile: &'static str,
}

/// Returns the description of this machine.
pub fn describe() -> Machine {
    Machine {
        cores: available_parallelism().map_or(0, usize::from),
        processor: processor().unwrap_or_else(|| "unknown processor".to_owned()),
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        compiler: compiler().unwrap_or_else(|| "unknown compiler".to_owned()),
        profile: if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        },
    }
}

impl Display for Machine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            cores,
            processor,
            platform,
            compiler,
            profile,
        } = self;
        write!(
            f,
            "{cores} cores, {processor}, {platform}; {compiler}, {profile}"
        )
    }
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
