//! The host of the function processes: one pool of them per function.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, join_all};
use tokio::sync::watch;

use super::{
    Invocation, Invoke, MAXIMUM_PAYLOAD_BYTES, environment::Environment, guard::Guard, pool::Place,
    runner::Runner,
};
use crate::template::Function;

/// A function and the binary that is run for it.
#[derive(Clone, Debug)]
pub struct FunctionProcess {
    /// The function as the template describes it.
    pub function: Function,
    /// Its binary.
    pub binary: PathBuf,
}

/// What holds for all functions of a host.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// The region the functions believe to be in.
    pub region: String,
    /// The account in their ARNs.
    pub account_id: String,
    /// Variables for every function, over those of the template: endpoints and credentials.
    pub environment: BTreeMap<String, String>,
    /// Whether a process is stopped between its answer and its next event, as Lambda does. It shows
    /// work that was started but not awaited.
    pub freeze: bool,
    /// How long a process may take from its start to asking for its first event.
    pub init_limit: Duration,
    /// How long a process may wait for an event before it is ended.
    pub idle_limit: Duration,
    /// How many processes one function may have at once.
    pub maximum_environments: usize,
}

impl Default for HostSettings {
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            environment: BTreeMap::new(),
            freeze: false,
            init_limit: Duration::from_secs(10),
            idle_limit: Duration::from_secs(5 * 60),
            maximum_environments: 50,
        }
    }
}

/// Runs functions as processes. A process is started when an event finds no idle one, so a function
/// that cannot start costs one attempt per event and never loops.
///
/// Call [`Host::shutdown`] before letting go of it: dropping it ends the processes too, but waits for
/// nothing.
#[derive(Debug)]
pub struct Host {
    runners: BTreeMap<String, Arc<Runner>>,
    guard: Arc<Guard>,
    /// `true` once no process may start any more. Every environment's task holds a receiver.
    stop: watch::Sender<bool>,
}

impl Host {
    /// Makes a host; starts no function yet. Errs if a binary is missing or the guard process cannot
    /// be started. To be called within a tokio runtime.
    pub fn start(functions: Vec<FunctionProcess>, settings: HostSettings) -> anyhow::Result<Self> {
        let guard = Arc::new(
            Guard::start().context("could not start /bin/sh to guard the function processes")?,
        );
        let settings = Arc::new(settings);
        let mut runners = BTreeMap::new();
        for function in functions {
            let logical_id = function.function.logical_id.clone();
            let (settings, guard) = (Arc::clone(&settings), Arc::clone(&guard));
            let runner = Runner::new(function, settings, guard)?;
            runners.insert(logical_id, Arc::new(runner));
        }
        Ok(Self {
            runners,
            guard,
            stop: watch::Sender::new(false),
        })
    }

    /// Starts one process of every function at once and waits until each has asked for its first
    /// event. Errs with one sentence per function that cannot start, its last lines included.
    pub async fn warm_up(&self) -> anyhow::Result<()> {
        let starts = self.runners.values().map(|runner| self.warm_up_one(runner));
        let failures: Vec<String> = join_all(starts).await.into_iter().flatten().collect();
        if !failures.is_empty() {
            bail!(failures.join("\n"));
        }
        Ok(())
    }

    /// Ends all processes and waits until they are gone; every later invocation is refused.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        self.stop.closed().await;
        self.guard.end().await;
    }

    /// Kills the running processes of a function (SIGKILL). What they are working on fails; the next
    /// event gets a fresh process. Does nothing for a function that does not exist.
    pub fn kill(&self, function: &str) {
        if let Some(runner) = self.runners.get(function) {
            for environment in runner.pool().clear() {
                environment.kill();
            }
        }
    }

    /// How many processes of a function were ever started.
    pub fn started(&self, function: &str) -> usize {
        self.runners
            .get(function)
            .map_or(0, |runner| runner.pool().started())
    }

    /// The ids of the running processes of a function.
    pub fn process_ids(&self, function: &str) -> Vec<u32> {
        self.runners
            .get(function)
            .map(|runner| {
                let pool = runner.pool();
                let ids = pool.alive().iter().filter_map(Environment::process_id);
                ids.collect()
            })
            .unwrap_or_default()
    }

    /// Starts one environment and makes it idle; says what went wrong, if anything did.
    async fn warm_up_one(&self, runner: &Arc<Runner>) -> Option<String> {
        let stop = match self.running() {
            Ok(stop) => stop,
            Err(reason) => return Some(reason),
        };
        let (environment, birth) = Environment::new();
        runner.pool().add(environment.clone());
        let start = birth.start(Arc::clone(runner), stop).await;
        match start {
            Ok(Ok(())) => {
                runner.pool().put_back(&environment);
                None
            }
            Ok(Err(failure)) => Some(failure.sentence(runner.logical_id())),
            Err(_) => Some(format!("function {} was not started", runner.logical_id())),
        }
    }

    async fn run(&self, function: &str, payload: Bytes) -> Invocation {
        let Some(runner) = self.runners.get(function) else {
            return refuse(function, format!("there is no function {function}"));
        };
        if payload.len() > MAXIMUM_PAYLOAD_BYTES {
            return refuse(function, too_large(payload.len()));
        }
        loop {
            let (environment, cold) = match self.take(runner) {
                Ok(taken) => taken,
                Err(reason) => return refuse(function, reason),
            };
            if let Some(invocation) = environment.invoke(payload.clone(), cold).await {
                return invocation;
            }
        }
    }

    /// An environment for one invocation, and whether it was started for it. Errs with the reason
    /// there is none.
    fn take(&self, runner: &Arc<Runner>) -> Result<(Environment, bool), String> {
        let stop = self.running()?;
        let mut pool = runner.pool();
        match pool.take() {
            Place::Idle(environment) => Ok((environment, false)),
            Place::Room => {
                let (environment, birth) = Environment::new();
                pool.add(environment.clone());
                birth.start(Arc::clone(runner), stop);
                Ok((environment, true))
            }
            Place::Full => Err(throttled(runner)),
        }
    }

    /// What tells a process about the shutdown. Errs once that has begun.
    fn running(&self) -> Result<watch::Receiver<bool>, String> {
        // Subscribed before looking, so that a shutdown from here on is not missed.
        let stop = self.stop.subscribe();
        if *stop.borrow() {
            return Err("the functions are shutting down".to_owned());
        }
        Ok(stop)
    }
}

impl Invoke for Host {
    fn invoke<'a>(&'a self, function: &'a str, payload: Bytes) -> BoxFuture<'a, Invocation> {
        self.run(function, payload).boxed()
    }
}

fn refuse(function: &str, reason: String) -> Invocation {
    tracing::warn!(function, reason, "function not invoked");
    Invocation::Refused(reason)
}

fn too_large(size: usize) -> String {
    format!(
        "RequestTooLargeException: {size} byte payload is too large for the RequestResponse \
         invocation type (limit {MAXIMUM_PAYLOAD_BYTES} bytes)"
    )
}

fn throttled(runner: &Runner) -> String {
    format!(
        "TooManyRequestsException: Rate Exceeded. All {} environments of function {} are busy",
        runner.maximum_environments(),
        runner.logical_id()
    )
}
