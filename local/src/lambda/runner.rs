//! The shared state of one function's environments: the function, its binary and limits, the pool,
//! and the slots that limit their number.

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
    completed_invocation::CompletedInvocation,
    environment::Environment,
    guard::Guard,
    host::{FunctionProcess, HostSettings},
    pool::Pool,
    process::Process,
    runtime_api::Event,
    variables::{INHERITED, Sources, variables},
};
use crate::{activity::Excerpt, open_files, template::Function};

/// One function with its pool of environments.
#[derive(Debug)]
pub(super) struct Runner {
    function: Function,
    binary: PathBuf,
    settings: Arc<HostSettings>,
    guard: Arc<Guard>,
    pool: Mutex<Pool<Environment>>,
    /// One slot for every environment that may be busy, granted in the order of requests.
    slots: Arc<Semaphore>,
}

/// The right to keep one environment busy until the last clone is dropped. By then the environment
/// is idle or removed, so the next holder of the slot finds an idle environment or may start one.
pub(super) type Slot = Arc<OwnedSemaphorePermit>;

impl Runner {
    /// Makes a runner without environments. Fails if the binary does not exist.
    pub(super) fn new(
        process: FunctionProcess,
        settings: Arc<HostSettings>,
        guard: Arc<Guard>,
    ) -> anyhow::Result<Self> {
        let FunctionProcess { function, binary } = process;
        let binary = binary.canonicalize().with_context(|| {
            format!(
                "function {} has no binary at {}; build it first",
                function.logical_id,
                binary.display()
            )
        })?;
        Ok(Self {
            pool: Mutex::new(Pool::new()),
            slots: Arc::new(Semaphore::new(settings.maximum_environments)),
            function,
            binary,
            settings,
            guard,
        })
    }

    /// Locks the environments. The lock is never held across an await.
    pub(super) fn pool(&self) -> MutexGuard<'_, Pool<Environment>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a slot, first come first served. Dropping the future gives the turn to the next.
    /// `None` if the host shuts down.
    pub(super) async fn slot(&self) -> Option<Slot> {
        if self.slots.available_permits() == 0 {
            let function = self.logical_id();
            tracing::debug!(function, "event waits: all environments are busy");
        }
        let permit = Arc::clone(&self.slots).acquire_owned().await;
        permit.ok().map(Arc::new)
    }

    /// Refuses all waiting and later requests for a slot.
    pub(super) fn close(&self) {
        self.slots.close();
    }

    /// Starts a process whose Runtime API is at `runtime_api` and whose calls are signed with the
    /// session token `session`. Fails if the process or the guard cannot be started.
    pub(super) async fn start_process(
        &self,
        runtime_api: SocketAddr,
        session: &str,
        kill: Arc<Notify>,
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<Process> {
        let group = self
            .guard
            .group()
            .await
            .context("failed to guard a function process")?;
        let variables = self.variables(&runtime_api.to_string(), session);
        Process::start(
            &self.function.logical_id,
            &self.binary,
            variables,
            group,
            kill,
            stop,
        )
        .map_err(open_files::explained)
        .with_context(|| format!("failed to start {}", self.binary.display()))
    }

    /// Returns an event whose deadline starts now.
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

    /// Records a completed invocation with the function's output.
    pub(super) fn record(&self, completed: CompletedInvocation, lines: Vec<Excerpt>) {
        completed.record(self.logical_id(), lines, &self.settings.activity);
    }

    /// Returns the function's logical id in the template.
    pub(super) fn logical_id(&self) -> &str {
        &self.function.logical_id
    }

    /// Returns the time limit of one invocation.
    pub(super) fn timeout(&self) -> Duration {
        self.function.timeout
    }

    /// Returns the time limit of a start.
    pub(super) fn init_limit(&self) -> Duration {
        self.settings.init_limit
    }

    /// Returns the time after which an idle environment is ended.
    pub(super) fn idle_limit(&self) -> Duration {
        self.settings.idle_limit
    }

    /// Returns whether idle processes are stopped.
    pub(super) fn freezes(&self) -> bool {
        self.settings.freeze
    }

    fn variables(&self, runtime_api: &str, session: &str) -> BTreeMap<String, String> {
        let inherited = INHERITED
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), env::var(name).ok()?)))
            .collect();
        let credentials = self.settings.credentials.get(self.logical_id());
        let credentials = credentials.map(|credentials| {
            let mut credentials = credentials.clone();
            credentials.insert("AWS_SESSION_TOKEN".to_owned(), session.to_owned());
            credentials
        });
        let today = Utc::now().format("%Y/%m/%d");
        let log_stream = format!("{today}/[$LATEST]{}", Uuid::new_v4().simple());
        variables(Sources {
            function: &self.function,
            binary: &self.binary,
            region: &self.settings.region,
            inherited,
            credentials: credentials.as_ref(),
            extra: &self.settings.environment,
            runtime_api,
            log_stream: &log_stream,
        })
    }
}

/// Returns the X-Ray trace header of a new, unsampled trace.
fn trace_id(now: Duration) -> String {
    format!(
        "Root=1-{:08x}-{:024x};Parent={:016x};Sampled=0",
        now.as_secs(),
        rand::random::<u128>() >> 32,
        rand::random::<u64>()
    )
}
