//! The kernel's figures of a process.

use std::{fs, time::Duration};

use anyhow::Context;

/// Returns the processor time of the living threads of a process. It is the finest measure available:
/// the ticks of `/proc/<pid>/stat` are as long as a small delivery.
///
/// # Errors
///
/// Returns an error if the process has ended.
pub fn processor_time(process: u32) -> anyhow::Result<Duration> {
    let mut time = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        let nanoseconds = text.split(' ').next().unwrap_or_default().parse()?;
        time += Duration::from_nanos(nanoseconds);
    }
    Ok(time)
}

/// Returns the peak resident memory of a process in bytes.
///
/// # Errors
///
/// Returns an error if the process has ended.
pub fn peak_memory(process: u32) -> anyhow::Result<u64> {
    memory(process, "VmHWM:")
}

/// Returns the resident memory of a process in bytes.
///
/// # Errors
///
/// Returns an error if the process has ended.
pub fn resident_memory(process: u32) -> anyhow::Result<u64> {
    memory(process, "VmRSS:")
}

fn memory(process: u32, name: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let kibibytes: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"))
        .with_context(|| format!("/proc/{process}/status has no {name}"))?
        .parse()?;
    Ok(kibibytes * 1024)
}
