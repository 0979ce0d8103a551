//! The host of the function processes, with one pool of processes per function.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, join_all};
use tokio::sync::watch;

use super::{
    Invocation, Invoke, MAXIMUM_ENVIRONMENTS, MAXIMUM_PAYLOAD_BYTES,
    completed_invocation::CompletedInvocation,
    environment::{Environment, StartReceiver},
    guard::Guard,
    runner::Runner,
};
use crate::{activity::Activity, template::Function};

/// A function and its binary.
#[derive(Clone, Debug)]
pub struct FunctionProcess {
    /// The function as the template describes it.
    pub function: Function,
    /// The function's binary.
    pub binary: PathBuf,
}

/// The settings of all functions of a host.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// The region in the functions' environment.
    pub region: String,
    /// The account in their ARNs.
    pub account_id: String,
    /// Variables of every function, such as endpoints. They override the function's own.
    pub environment: BTreeMap<String, String>,
    /// Variables of one function by its logical id: the credentials of its role. They override the
    /// template's.
    pub credentials: BTreeMap<String, BTreeMap<String, String>>,
    /// Stops processes between an answer and the next event, as Lambda does. This reveals work
    /// that a function started and did not await.
    pub freeze: bool,
    /// The time limit from the start of a process to its first `next`.
    pub init_limit: Duration,
    /// The time after which an idle process is ended.
    pub idle_limit: Duration,
    /// The largest number of processes of one function, at least one. If all are busy, an event
    /// waits.
    pub maximum_environments: usize,
    /// The recorder of completed invocations.
    pub activity: Activity,
}

impl Default for HostSettings {
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            environment: BTreeMap::new(),
            credentials: BTreeMap::new(),
            freeze: false,
            init_limit: Duration::from_secs(10),
            idle_limit: Duration::from_secs(5 * 60),
            maximum_environments: MAXIMUM_ENVIRONMENTS,
            activity: Activity::default(),
        }
    }
}

/// A host that runs functions as processes. An event without an idle process starts one, so a
/// function that cannot start costs one attempt per event and never loops.
///
/// If all allowed processes are busy, an event waits, first come first served. AWS, where an
/// account starts with a thousand, would throttle it; a laptop has few processes, and a burst must
/// not fail for that. The caller decides how long to wait: dropping the invocation gives up its
/// turn. The function's time limit starts after the wait.
///
/// Call [`Host::shutdown`] before dropping the host: a drop ends the processes too, but does not
/// wait for them.
#[derive(Debug)]
pub struct Host {
    runners: BTreeMap<String, Arc<Runner>>,
    guard: Arc<Guard>,
    /// `true` after the start of the shutdown: no process starts any more. Every environment's task
    /// holds a receiver.
    stop: watch::Sender<bool>,
    activity: Activity,
}

impl Host {
    /// Makes a host without starting a function.
    ///
    /// # Errors
    ///
    /// Returns an error if a binary is missing or the guard process does not start.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub fn start(functions: Vec<FunctionProcess>, settings: HostSettings) -> anyhow::Result<Self> {
        let guard = Arc::new(
            Guard::start()
                .context("failed to start /bin/sh, which guards the function processes")?,
        );
        let activity = settings.activity.clone();
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
            activity,
        })
    }

    /// Starts an idle process for every function that has none, all concurrently, and waits until
    /// each has asked for its first event.
    ///
    /// # Errors
    ///
    /// Returns one sentence per function that does not start, with its last lines.
    pub async fn warm_up(&self) -> anyhow::Result<()> {
        let starts = self.runners.values().map(|runner| self.warm_up_one(runner));
        let starts = join_all(starts).await.into_iter();
        let failures: Vec<String> = starts.filter_map(Result::err).collect();
        if !failures.is_empty() {
            bail!(failures.join("\n"));
        }
        Ok(())
    }

    /// Ends all processes and waits for their end. Waiting and later invocations are refused.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        self.runners.values().for_each(|runner| runner.close());
        self.stop.closed().await;
        self.guard.end().await;
    }

    /// Kills the processes of a function (SIGKILL). Their invocations fail; the next event gets a
    /// new process. Does nothing for an unknown function.
    pub fn kill(&self, function: &str) {
        if let Some(runner) = self.runners.get(function) {
            for environment in runner.pool().clear() {
                environment.kill();
            }
        }
    }

    /// Kills the process of a function that signs its calls with this session token (SIGKILL).
    /// Returns a future that is ready after its end, or `None` if the function has no such process.
    pub(crate) fn kill_session(
        &self,
        function: &str,
        session: &str,
    ) -> Option<impl Future<Output = ()> + use<>> {
        let runner = self.runners.get(function)?;
        let environment = runner.pool().remove_where(|it| it.has_session(session))?;
        environment.kill();
        Some(async move { environment.ended().await })
    }

    /// Returns the number of processes of a function that were ever started.
    pub fn started(&self, function: &str) -> usize {
        self.runners
            .get(function)
            .map_or(0, |runner| runner.pool().started())
    }

    /// Returns the ids of a function's running processes.
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

    /// Ensures that a function has an idle environment. The error is one sentence.
    async fn warm_up_one(&self, runner: &Arc<Runner>) -> Result<(), String> {
        let _slot = runner.slot().await.ok_or(SHUTTING_DOWN)?;
        let (environment, start) = self.take(runner)?;
        let function = runner.logical_id();
        if let Some(start) = start {
            start
                .await
                .map_err(|_| format!("function {function} did not start"))?
                .map_err(|failure| failure.sentence(function))?;
        }
        runner.pool().put_back(&environment);
        Ok(())
    }

    /// Runs one invocation. The error is the reason why the function did not run.
    async fn run(&self, function: &str, payload: Bytes) -> Result<Invocation, String> {
        let runner = self.runners.get(function);
        let runner = runner.ok_or_else(|| format!("function {function} does not exist"))?;
        if payload.len() > MAXIMUM_PAYLOAD_BYTES {
            return Err(too_large(payload.len()));
        }
        let slot = runner.slot().await.ok_or(SHUTTING_DOWN)?;
        loop {
            let (environment, start) = self.take(runner)?;
            let slot = Arc::clone(&slot);
            let invocation = environment.invoke(payload.clone(), start.is_some(), slot);
            if let Some(invocation) = invocation.await {
                return Ok(invocation);
            }
        }
    }

    /// Returns an environment for the holder of a slot, with the result of its start if it is new.
    /// Fails after the start of a shutdown.
    fn take(&self, runner: &Arc<Runner>) -> Result<(Environment, Option<StartReceiver>), String> {
        // Subscribe before the check, so that no later shutdown is missed.
        let stop = self.stop.subscribe();
        if *stop.borrow() {
            return Err(SHUTTING_DOWN.to_owned());
        }
        let mut pool = runner.pool();
        if let Some(environment) = pool.take() {
            return Ok((environment, None));
        }
        let (environment, unstarted) = Environment::new();
        pool.add(environment.clone());
        Ok((environment, Some(unstarted.start(Arc::clone(runner), stop))))
    }
}

impl Invoke for Host {
    fn invoke<'a>(&'a self, function: &'a str, payload: Bytes) -> BoxFuture<'a, Invocation> {
        async move {
            let started_at = Instant::now();
            let invocation = self.run(function, payload.clone()).await;
            invocation.unwrap_or_else(|reason| {
                if reason == SHUTTING_DOWN {
                    tracing::debug!(function, reason, "function not invoked");
                } else {
                    tracing::warn!(function, reason, "function not invoked");
                }
                let invocation = Invocation::Refused(reason);
                let completed =
                    CompletedInvocation::now(None, started_at.elapsed(), payload, &invocation);
                completed.record(function, Vec::new(), &self.activity);
                invocation
            })
        }
        .boxed()
    }
}

const SHUTTING_DOWN: &str = "the functions are shutting down";

fn too_large(size: usize) -> String {
    format!(
        "RequestTooLargeException: {size} byte payload is too large for the RequestResponse \
         invocation type (limit {MAXIMUM_PAYLOAD_BYTES} bytes)"
    )
}
