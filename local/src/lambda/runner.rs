//! What all environments of one function share: the function, its binary and limits, the pool they
//! live in, and the places that hold their number down.

use std::{
    collections::BTreeMap,
    env,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use bytes::Bytes;
use chrono::Utc;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use uuid::Uuid;

use super::{
    ended::Ended,
    environment::Environment,
    guard::Guard,
    host::{FunctionProcess, HostSettings},
    pool::Pool,
    process::Process,
    runtime_api::Event,
    variables::{INHERITED, Sources, variables},
};
use crate::{activity::Excerpt, open_files, template::Function};

/// One function, ready to be run.
#[derive(Debug)]
pub(super) struct Runner {
    function: Function,
    binary: PathBuf,
    settings: Arc<HostSettings>,
    guard: Arc<Guard>,
    pool: Mutex<Pool<Environment>>,
    /// One for every environment that may be busy. Handed out in the order they were asked for.
    places: Arc<Semaphore>,
}

/// The right to keep one environment busy, until the last clone is dropped. An environment that was
/// busy is idle or out of the pool by then, so whoever gets the place next finds it idle or may start
/// one.
pub(super) type Place = Arc<OwnedSemaphorePermit>;

impl Runner {
    /// A function with no environment yet. Errs if its binary is not there.
    pub(super) fn new(
        process: FunctionProcess,
        settings: Arc<HostSettings>,
        guard: Arc<Guard>,
    ) -> anyhow::Result<Self> {
        let FunctionProcess { function, binary } = process;
        let binary = binary.canonicalize().with_context(|| {
            format!(
                "function {} has no binary at {}: build it first",
                function.logical_id,
                binary.display()
            )
        })?;
        Ok(Self {
            pool: Mutex::new(Pool::new()),
            places: Arc::new(Semaphore::new(settings.maximum_environments)),
            function,
            binary,
            settings,
            guard,
        })
    }

    /// The environments. The lock is held for a moment only and never across an await.
    pub(super) fn pool(&self) -> MutexGuard<'_, Pool<Environment>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place, first come first served. Dropping the future gives the turn to the next.
    /// `None`: there are no more, as the host shuts down.
    pub(super) async fn place(&self) -> Option<Place> {
        if self.places.available_permits() == 0 {
            let function = self.logical_id();
            tracing::debug!(function, "all environments are busy; an event waits");
        }
        let permit = Arc::clone(&self.places).acquire_owned().await;
        permit.ok().map(Arc::new)
    }

    /// Sends away whoever waits for a place, and whoever will ask for one.
    pub(super) fn close(&self) {
        self.places.close();
    }

    /// Starts a process that finds its Runtime API at `runtime_api`. Errs if it, or the guard it needs,
    /// cannot be started.
    pub(super) async fn start_process(
        &self,
        runtime_api: SocketAddr,
        kill: Arc<Notify>,
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<Process> {
        let group = self
            .guard
            .group()
            .await
            .context("could not guard a function process")?;
        let variables = self.variables(&runtime_api.to_string());
        Process::start(
            &self.function.logical_id,
            &self.binary,
            variables,
            group,
            kill,
            stop,
        )
        .map_err(open_files::explained)
        .with_context(|| format!("could not start {}", self.binary.display()))
    }

    /// An event with a deadline counted from now.
    pub(super) fn event(&self, request_id: &str, payload: &Bytes) -> Event {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default();
        let HostSettings {
            region, account_id, ..
        } = self.settings.as_ref();
        let name = &self.function.name;
        Event {
            request_id: request_id.to_owned(),
            deadline_ms: (now + self.timeout()).as_millis(),
            function_arn: format!("arn:aws:lambda:{region}:{account_id}:function:{name}"),
            trace_id: trace_id(now),
            payload: payload.clone(),
        }
    }

    /// Tells of an invocation that has ended, and of what the function printed meanwhile.
    pub(super) fn record(&self, ended: Ended, lines: Vec<Excerpt>) {
        ended.record(self.logical_id(), lines, &self.settings.activity);
    }

    /// The function's logical id in the template.
    pub(super) fn logical_id(&self) -> &str {
        &self.function.logical_id
    }

    /// How long one invocation may take.
    pub(super) fn timeout(&self) -> Duration {
        self.function.timeout
    }

    /// How long an environment may take to ask for its first event.
    pub(super) fn init_limit(&self) -> Duration {
        self.settings.init_limit
    }

    /// How long an environment may be idle.
    pub(super) fn idle_limit(&self) -> Duration {
        self.settings.idle_limit
    }

    /// Whether idle processes are stopped.
    pub(super) fn freezes(&self) -> bool {
        self.settings.freeze
    }

    fn variables(&self, runtime_api: &str) -> BTreeMap<String, String> {
        let inherited = INHERITED
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), env::var(name).ok()?)))
            .collect();
        let today = Utc::now().format("%Y/%m/%d");
        let log_stream = format!("{today}/[$LATEST]{}", Uuid::new_v4().simple());
        variables(Sources {
            function: &self.function,
            binary: &self.binary,
            region: &self.settings.region,
            inherited,
            credentials: self.settings.credentials.get(self.logical_id()),
            extra: &self.settings.environment,
            runtime_api,
            log_stream: &log_stream,
        })
    }
}

/// An X-Ray trace header of an unsampled trace that starts now.
fn trace_id(now: Duration) -> String {
    format!(
        "Root=1-{:08x}-{:024x};Parent={:016x};Sampled=0",
        now.as_secs(),
        rand::random::<u128>() >> 32,
        rand::random::<u64>()
    )
}
