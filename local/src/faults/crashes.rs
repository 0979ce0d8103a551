//! Function processes that die after a call was applied and before its answer arrives.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use axum::http::HeaderMap;
use bytes::Bytes;
use serde_json::Value;

use crate::{gateway::happens, iam::Principal, lambda::Host, template::Stack};

/// A step of the notifier: a call after which its process may die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The `UpdateItem` that takes the offset, on the table with the logical id `HistoryTable`.
    Counter,
    /// The `PutItem` that stores the message, on the same table.
    Row,
    /// The `Query` of the audience, on the table with the logical id `Table`.
    Audience,
    /// A post to a connection.
    Post,
}

impl Step {
    /// All steps in their order.
    pub const ALL: [Self; 4] = [Self::Counter, Self::Row, Self::Audience, Self::Post];

    /// Returns the step's name in `--fault`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Row => "row",
            Self::Audience => "audience",
            Self::Post => "post",
        }
    }
}

/// The share of calls of each step after which the process of the notifier dies. None by default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DiesAfter([f64; Step::ALL.len()]);

impl DiesAfter {
    /// Returns the same with another share of one step, between 0, never, and 1, always.
    #[must_use]
    pub fn with(mut self, step: Step, share: f64) -> Self {
        self.0[step as usize] = share;
        self
    }
}

/// The fault that kills the functions behind queues, of which the notifier is one, between their steps.
#[derive(Debug)]
pub struct Crashes {
    /// `None` if another server runs the functions, whose processes are not ours to kill.
    host: Option<Arc<Host>>,
    functions: BTreeSet<String>,
    history_table: Option<String>,
    table: Option<String>,
    shares: Mutex<DiesAfter>,
    killed: [AtomicUsize; Step::ALL.len()],
}

/// The crash after one call.
#[derive(Debug)]
pub(crate) struct Crash<'a> {
    crashes: &'a Crashes,
    host: &'a Host,
    function: String,
    session: String,
    step: Step,
}

impl Crashes {
    pub(crate) fn new(
        stack: &Stack,
        host: Option<Arc<Host>>,
        functions: BTreeSet<String>,
        shares: DiesAfter,
    ) -> Self {
        let table = |logical_id: &str| {
            let mut tables = stack.tables.iter();
            let table = tables.find(|table| table.logical_id == logical_id);
            table.map(|table| table.name.clone())
        };
        Self {
            host,
            functions,
            history_table: table("HistoryTable"),
            table: table("Table"),
            shares: Mutex::new(shares),
            killed: Default::default(),
        }
    }

    /// Replaces the shares.
    pub fn set(&self, shares: DiesAfter) {
        *self.shares.lock().unwrap_or_else(PoisonError::into_inner) = shares;
    }

    /// Returns the number of processes that died after this step.
    pub fn killed_after(&self, step: Step) -> usize {
        self.killed[step as usize].load(Relaxed)
    }

    /// Returns the step that a request to DynamoDB is. `None` if it is another one, or the fault is
    /// off.
    pub(crate) fn step(&self, operation: &str, request: &Bytes) -> Option<Step> {
        let (step, of) = match operation {
            "UpdateItem" => (Step::Counter, &self.history_table),
            "PutItem" => (Step::Row, &self.history_table),
            "Query" => (Step::Audience, &self.table),
            _ => return None,
        };
        if self.share(step) == 0.0 {
            return None;
        }
        let request: Value = serde_json::from_slice(request).ok()?;
        (request["TableName"].as_str() == of.as_deref()).then_some(step)
    }

    /// Returns the crash of a caller after this call, if it dies then.
    pub(crate) fn next(
        &self,
        caller: &Principal,
        headers: &HeaderMap,
        step: Option<Step>,
    ) -> Option<Crash<'_>> {
        let step = step?;
        if !self.functions.contains(&caller.function) || !happens(self.share(step)) {
            return None;
        }
        let session = headers.get("x-amz-security-token")?.to_str().ok()?;
        Some(Crash {
            crashes: self,
            host: self.host.as_deref()?,
            function: caller.function.clone(),
            session: session.to_owned(),
            step,
        })
    }

    fn share(&self, step: Step) -> f64 {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner).0[step as usize]
    }
}

impl Crash<'_> {
    /// Kills the process, and returns after its end, so that no answer reaches it.
    pub(crate) async fn happen(self) {
        let Self { function, step, .. } = &self;
        let Some(ended) = self.host.kill_session(function, &self.session) else {
            return;
        };
        self.crashes.killed[*step as usize].fetch_add(1, Relaxed);
        let step = step.name();
        tracing::warn!(function, step, "function killed by an injected fault");
        // The server drops this future if the dead process closes its connection first.
        ended.await;
    }
}
