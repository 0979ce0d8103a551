//! A host of the scripted function, with helpers for its tests.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use herald_local::{
    lambda::{FunctionError, FunctionProcess, Host, HostSettings, Invocation, Invoke},
    template::Function,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{processes::until, programs::example};

/// The logical id of [`function`].
pub const FUNCTION: &str = "Scripted";

/// The time limit of [`function`].
pub const TIMEOUT: Duration = Duration::from_secs(60);

pub fn function() -> Function {
    Function {
        logical_id: FUNCTION.to_owned(),
        name: format!("stack-{FUNCTION}"),
        binary: "scripted_function".to_owned(),
        code: ".".into(),
        environment: BTreeMap::new(),
        timeout: TIMEOUT,
        memory_mb: 128,
    }
}

/// Returns the function with variables of its own.
pub fn function_with(environment: &[(&str, &str)]) -> Function {
    Function {
        environment: pairs(environment),
        ..function()
    }
}

pub fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

pub fn host(settings: HostSettings) -> Host {
    host_of(function(), settings)
}

pub fn host_with_one_process(timeout: Duration) -> Host {
    let function = Function {
        timeout,
        ..function()
    };
    let settings = HostSettings {
        maximum_environments: 1,
        ..HostSettings::default()
    };
    host_of(function, settings)
}

pub fn host_of(function: Function, settings: HostSettings) -> Host {
    let functions = vec![FunctionProcess {
        function,
        binary: example("scripted_function"),
    }];
    Host::start(functions, settings).unwrap()
}

pub async fn invoke(host: &Host, event: Value) -> Invocation {
    host.invoke(FUNCTION, event.to_string().into()).await
}

/// Checks that the function works, and the number of processes since the start of the host.
pub async fn works_with_processes_started(host: &Host, started: usize) {
    let event = json!({ "do": "echo" });
    assert_eq!(returned(invoke(host, event.clone()).await), event);
    assert_eq!(host.started(FUNCTION), started);
}

pub fn returned(invocation: Invocation) -> Value {
    match invocation {
        Invocation::Returned(answer) => serde_json::from_slice(&answer).unwrap(),
        other => panic!("expected a result, got {other:?}"),
    }
}

pub fn failed(invocation: Invocation) -> FunctionError {
    match invocation {
        Invocation::Failed(error) => error,
        other => panic!("expected a function error, got {other:?}"),
    }
}

pub fn since_the_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// A gate at which an invocation waits until the test opens it.
pub struct Gate(TempDir);

impl Gate {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Returns an event whose invocation waits at the gate and then returns its process id.
    pub fn meet(&self) -> Value {
        json!({ "do": "meet", "arrived": self.file("arrived"), "gate": self.file("open") })
    }

    pub fn is_reached(&self) -> bool {
        self.file("arrived").exists()
    }

    pub async fn reached(&self) {
        until(|| self.is_reached()).await;
    }

    pub fn open(&self) {
        fs::write(self.file("open"), "").unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}
