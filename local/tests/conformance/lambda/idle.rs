//! Tests of idle processes: frozen, ended by the idle limit, killed.

use std::{fs, time::Duration};

use herald_local::lambda::HostSettings;
use rustix::process::Signal;
use serde_json::json;

use super::harness::{FUNCTION, host, invoke, returned, works_with_processes_started};
use crate::processes::{send, state, until};

#[tokio::test]
async fn idle_process_killed_from_outside_is_replaced() {
    let host = host(HostSettings::default());
    host.warm_up().await.unwrap();
    let process = host.process_ids(FUNCTION)[0];
    send(Signal::KILL, process);
    until(|| host.process_ids(FUNCTION).is_empty()).await;
    works_with_processes_started(&host, 2).await;
    host.shutdown().await;
}

#[tokio::test]
async fn idle_process_is_ended_at_the_idle_limit() {
    let host = host(HostSettings {
        idle_limit: Duration::from_millis(20),
        ..HostSettings::default()
    });
    invoke(&host, json!({ "do": "pid" })).await;
    until(|| host.process_ids(FUNCTION).is_empty()).await;
    works_with_processes_started(&host, 2).await;
    host.shutdown().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn frozen_process_is_stopped_until_its_next_event() {
    let host = host(HostSettings {
        freeze: true,
        ..HostSettings::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let [gate, done] = ["gate", "done"].map(|name| folder.path().join(name));
    let event = json!({ "do": "spawn_background", "gate": &gate, "done": &done });
    let process = returned(invoke(&host, event).await).as_u64().unwrap();
    let process = u32::try_from(process).unwrap();
    until(|| state(process) == Some('T')).await;

    fs::write(&gate, "").unwrap();
    assert!(!done.exists(), "the stopped process continued its work");
    assert_eq!(state(process), Some('T'));

    let arrived = folder.path().join("arrived");
    let event = json!({ "do": "meet", "arrived": &arrived, "gate": &done });
    assert_eq!(returned(invoke(&host, event).await), json!(process));
    host.shutdown().await;
}

#[tokio::test]
async fn process_without_freeze_continues_between_events() {
    let host = host(HostSettings::default());
    let folder = tempfile::tempdir().unwrap();
    let [gate, done] = ["gate", "done"].map(|name| folder.path().join(name));
    let event = json!({ "do": "spawn_background", "gate": &gate, "done": &done });
    returned(invoke(&host, event).await);
    fs::write(&gate, "").unwrap();
    until(|| done.exists()).await;
    host.shutdown().await;
}
