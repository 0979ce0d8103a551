//! What the kernel knows of a process.

use std::{fs, time::Duration};

use anyhow::Context;

/// The processor time that the living threads of a process have had. The finest count there is: the
/// ticks of `/proc/<pid>/stat` are as long as a small delivery.
pub(crate) fn processor_time(process: u32) -> anyhow::Result<Duration> {
    let mut time = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        let nanoseconds = text.split(' ').next().unwrap_or_default().parse()?;
        time += Duration::from_nanos(nanoseconds);
    }
    Ok(time)
}

/// The most memory a process ever had resident, in bytes.
pub(crate) fn peak_memory(process: u32) -> anyhow::Result<u64> {
    memory(process, "VmHWM:")
}

/// The memory a process has resident, in bytes.
pub(crate) fn resident_memory(process: u32) -> anyhow::Result<u64> {
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
