//! Helpers for processes of this machine by their ids.

use std::{fs, path::Path, time::Duration};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// Waits until a condition is true. The limit only ends a failed test.
pub async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, wait)
        .await
        .expect("the condition to become true");
}

/// Returns whether a process runs. A zombie does not.
pub fn runs(process: u32) -> bool {
    if Path::new("/proc/self/stat").exists() {
        return !matches!(state(process), None | Some('Z' | 'X'));
    }
    test_kill_process(pid(process)).is_ok()
}

/// Returns the state letter of a process on Linux.
pub fn state(process: u32) -> Option<char> {
    stat(process)?.first()?.chars().next()
}

/// Returns the children of a process on Linux.
pub fn children(parent: u32) -> Vec<u32> {
    let parent = parent.to_string();
    let names = fs::read_dir("/proc").unwrap();
    let processes = names.filter_map(|name| name.unwrap().file_name().to_str()?.parse().ok());
    processes
        .filter(|process| stat(*process).is_some_and(|fields| fields.get(1) == Some(&parent)))
        .collect()
}

/// Returns the listening ports of a process on Linux.
pub fn listening_ports(process: u32) -> Vec<u16> {
    const LISTENING: &str = "0A";
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let sockets: Vec<String> = descriptors
        .filter_map(|descriptor| fs::read_link(descriptor.unwrap().path()).ok())
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.to_owned()))
        .collect();
    let table = fs::read_to_string(format!("/proc/{process}/net/tcp")).unwrap();
    let rows = table
        .lines()
        .map(|row| row.split_whitespace().collect::<Vec<_>>());
    // The columns are the local address, the state and the socket's inode.
    rows.filter(|row| row[3] == LISTENING)
        .filter(|row| {
            sockets
                .iter()
                .any(|socket| socket.trim_end_matches(']') == row[9])
        })
        .map(|row| u16::from_str_radix(row[1].rsplit(':').next().unwrap(), 16).unwrap())
        .collect()
}

/// Returns the fields of `/proc/{process}/stat` from the state on.
fn stat(process: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before the state is in brackets and may hold any character.
    let (_, fields) = stat.rsplit_once(") ")?;
    Some(fields.split(' ').map(str::to_owned).collect())
}

pub fn send(signal: Signal, process: u32) {
    kill_process(pid(process), signal).unwrap();
}

fn pid(process: u32) -> Pid {
    Pid::from_raw(i32::try_from(process).unwrap()).unwrap()
}
