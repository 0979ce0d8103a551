//! The host of the function processes: one pool of them per function.

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
    ended::Ended,
    environment::{Environment, Starting},
    guard::Guard,
    runner::Runner,
};
use crate::{activity::Activity, template::Function};

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
    /// Variables for every function, over those of the template and its own: endpoints.
    pub environment: BTreeMap<String, String>,
    /// Variables of one function alone, by its logical id, over those of the template: the credentials
    /// of its role.
    pub credentials: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether a process is stopped between its answer and its next event, as Lambda does. It shows
    /// work that was started but not awaited.
    pub freeze: bool,
    /// How long a process may take from its start to asking for its first event.
    pub init_limit: Duration,
    /// How long a process may wait for an event before it is ended.
    pub idle_limit: Duration,
    /// How many processes one function may have at once, at least one. An event that finds them all
    /// busy waits.
    pub maximum_environments: usize,
    /// Told of every invocation that has ended.
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

/// Runs functions as processes. A process is started when an event finds no idle one, so a function
/// that cannot start costs one attempt per event and never loops.
///
/// An event that finds as many processes as there may be, all busy, waits for its turn, first come
/// first served. On AWS, where an account starts with a thousand, it would be throttled instead; a
/// laptop has few, and a burst must not fail on that. How long to wait is the caller's decision: one
/// that drops its invocation gives up its turn. The function's time limit starts after the wait.
///
/// Call [`Host::shutdown`] before letting go of it: dropping it ends the processes too, but waits for
/// nothing.
#[derive(Debug)]
pub struct Host {
    runners: BTreeMap<String, Arc<Runner>>,
    guard: Arc<Guard>,
    /// `true` once no process may start any more. Every environment's task holds a receiver.
    stop: watch::Sender<bool>,
    activity: Activity,
}

impl Host {
    /// Makes a host; starts no function yet. Errs if a binary is missing or the guard process cannot
    /// be started. To be called within a tokio runtime.
    pub fn start(functions: Vec<FunctionProcess>, settings: HostSettings) -> anyhow::Result<Self> {
        let guard = Arc::new(
            Guard::start().context("could not start /bin/sh to guard the function processes")?,
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

    /// Sees to it that every function has an idle process, starting them all at once, and waits until
    /// each has asked for its first event. Errs with one sentence per function that cannot start, its
    /// last lines included.
    pub async fn warm_up(&self) -> anyhow::Result<()> {
        let starts = self.runners.values().map(|runner| self.warm_up_one(runner));
        let starts = join_all(starts).await.into_iter();
        let failures: Vec<String> = starts.filter_map(Result::err).collect();
        if !failures.is_empty() {
            bail!(failures.join("\n"));
        }
        Ok(())
    }

    /// Ends all processes and waits until they are gone; every invocation that waits for its turn or
    /// comes later is refused.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        self.runners.values().for_each(|runner| runner.close());
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

    /// Makes sure that there is an idle environment. Errs with one sentence.
    async fn warm_up_one(&self, runner: &Arc<Runner>) -> Result<(), String> {
        let _place = runner.place().await.ok_or(SHUTTING_DOWN)?;
        let (environment, start) = self.take(runner)?;
        let function = runner.logical_id();
        if let Some(start) = start {
            start
                .await
                .map_err(|_| format!("function {function} was not started"))?
                .map_err(|failure| failure.sentence(function))?;
        }
        runner.pool().put_back(&environment);
        Ok(())
    }

    /// Runs one invocation. Errs with the reason the function was not run.
    async fn run(&self, function: &str, payload: Bytes) -> Result<Invocation, String> {
        let runner = self.runners.get(function);
        let runner = runner.ok_or_else(|| format!("there is no function {function}"))?;
        if payload.len() > MAXIMUM_PAYLOAD_BYTES {
            return Err(too_large(payload.len()));
        }
        let place = runner.place().await.ok_or(SHUTTING_DOWN)?;
        loop {
            let (environment, start) = self.take(runner)?;
            let place = Arc::clone(&place);
            let invocation = environment.invoke(payload.clone(), start.is_some(), place);
            if let Some(invocation) = invocation.await {
                return Ok(invocation);
            }
        }
    }

    /// An environment for whoever has a place, and how its start goes if it is a new one. Errs once
    /// a shutdown has begun.
    fn take(&self, runner: &Arc<Runner>) -> Result<(Environment, Option<Starting>), String> {
        // Subscribed before looking, so that a shutdown from here on is not missed.
        let stop = self.stop.subscribe();
        if *stop.borrow() {
            return Err(SHUTTING_DOWN.to_owned());
        }
        let mut pool = runner.pool();
        if let Some(environment) = pool.take() {
            return Ok((environment, None));
        }
        let (environment, birth) = Environment::new();
        pool.add(environment.clone());
        Ok((environment, Some(birth.start(Arc::clone(runner), stop))))
    }
}

impl Invoke for Host {
    fn invoke<'a>(&'a self, function: &'a str, payload: Bytes) -> BoxFuture<'a, Invocation> {
        async move {
            let asked_at = Instant::now();
            let invocation = self.run(function, payload.clone()).await;
            invocation.unwrap_or_else(|reason| {
                tracing::warn!(function, reason, "function not invoked");
                let invocation = Invocation::Refused(reason);
                let ended = Ended {
                    request_id: None,
                    duration: asked_at.elapsed(),
                    event: payload,
                    invocation: invocation.clone(),
                };
                let happening = ended.happening(function, Vec::new(), &self.activity);
                self.activity.record(happening);
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
