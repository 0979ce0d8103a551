//! An execution environment: one function process from its start to its end.
//!
//! A task owns the process; the rest of the host holds an [`Environment`], through which it sends one
//! event at a time. The life cycle follows
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>:
//!
//! - *init*: from the start to the first `next`, within a limit;
//! - *idle*: no event; with `freeze`, stopped as soon as it has asked for its next event;
//! - *busy*: from the event to the answer, the process's end or the time limit.
//!
//! The environment is idle again after its answer, because the `next` that ends an invocation
//! follows within microseconds; an event that arrives in between waits for it. A process that does
//! not call `next` within the function's time limit is ended.

use std::sync::{Arc, OnceLock};

use anyhow::Context;
use bytes::Bytes;
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::Instant,
};
use tracing::Span;
use uuid::Uuid;

use super::{
    FunctionError, Invocation,
    alarm::Alarm,
    completed_invocation::CompletedInvocation,
    failure::Failure,
    process::Process,
    runner::{Runner, Slot},
    runtime_api::{Call, CallReply, Event, RuntimeApi},
};
use crate::activity::Excerpt;

/// A handle of an environment. Two handles are equal if they belong to the same environment.
#[derive(Clone, Debug)]
pub(super) struct Environment(Arc<Controls>);

/// An environment before its start.
#[derive(Debug)]
pub(super) struct UnstartedEnvironment {
    environment: Environment,
    deliveries: mpsc::UnboundedReceiver<Delivery>,
}

/// The receiver of the result of a start: ready for the first event, or failed.
pub(super) type StartReceiver = oneshot::Receiver<Result<(), StartFailure>>;

type StartSender = oneshot::Sender<Result<(), StartFailure>>;

/// The reason why an environment never became ready.
#[derive(Debug)]
pub(super) enum StartFailure {
    /// The operating system could not start the process. Holds the reason.
    NotStarted(String),
    /// The process was started and then failed. Holds the failure and the last lines that it
    /// printed.
    Failed(Failure, Vec<Excerpt>),
}

#[derive(Debug)]
struct Controls {
    /// The session token of the process, which no other process has.
    session: String,
    deliveries: mpsc::UnboundedSender<Delivery>,
    kill: Arc<Notify>,
    process_id: OnceLock<u32>,
}

/// An event in flight to the function, with the channel for its result. Dropping it tells the
/// sender that the function never received the event.
#[derive(Debug)]
struct Delivery {
    request_id: String,
    payload: Bytes,
    /// True if the environment was started for this event.
    cold: bool,
    sent_at: Instant,
    span: Span,
    result: oneshot::Sender<Invocation>,
    /// Held here as well because the invocation may outlive its caller.
    _slot: Slot,
}

impl Environment {
    /// Makes an environment and the value that starts it.
    pub(super) fn new() -> (Self, UnstartedEnvironment) {
        let (sender, deliveries) = mpsc::unbounded_channel();
        let environment = Self(Arc::new(Controls {
            session: Uuid::new_v4().simple().to_string(),
            deliveries: sender,
            kill: Arc::default(),
            process_id: OnceLock::new(),
        }));
        let unstarted = UnstartedEnvironment {
            environment: environment.clone(),
            deliveries,
        };
        (environment, unstarted)
    }

    /// Runs one invocation in `slot`; `cold` means that the environment was started for it. `None`
    /// if the environment ended before it received the event, so another one may handle it. As on
    /// AWS, the invocation continues when its caller stops waiting.
    pub(super) async fn invoke(
        &self,
        payload: Bytes,
        cold: bool,
        slot: Slot,
    ) -> Option<Invocation> {
        let (result, receiver) = oneshot::channel();
        let delivery = Delivery {
            request_id: Uuid::new_v4().to_string(),
            payload,
            cold,
            sent_at: Instant::now(),
            span: Span::current(),
            result,
            _slot: slot,
        };
        // A delivery that cannot be sent is dropped, and the receiver learns of that.
        self.0.deliveries.send(delivery).ok();
        receiver.await.ok()
    }

    /// Kills the process. The caller removes the environment from its pool first.
    pub(super) fn kill(&self) {
        self.0.kill.notify_one();
    }

    /// Waits for the end of the process.
    pub(super) async fn ended(&self) {
        self.0.deliveries.closed().await;
    }

    /// Returns whether the process signs its calls with this session token.
    pub(super) fn has_session(&self, session: &str) -> bool {
        self.0.session == session
    }

    /// Returns the process id. `None` before the start.
    pub(super) fn process_id(&self) -> Option<u32> {
        self.0.process_id.get().copied()
    }
}

impl PartialEq for Environment {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl UnstartedEnvironment {
    /// Starts the environment in a task of its own that lasts as long as the process. The task
    /// keeps a clone of `stop` until its end, so the holder of the sender can wait for that.
    pub(super) fn start(self, runner: Arc<Runner>, stop: watch::Receiver<bool>) -> StartReceiver {
        let (report, start) = oneshot::channel();
        tokio::spawn(async move {
            self.run(runner, stop.clone(), report).await;
            drop(stop);
        });
        start
    }

    async fn run(mut self, runner: Arc<Runner>, stop: watch::Receiver<bool>, report: StartSender) {
        let (runtime_api, process) = match self.start_process(&runner, stop).await {
            Ok(started) => started,
            Err(error) => {
                runner.pool().remove(&self.environment);
                let reason = format!("{error:#}");
                if let Ok(delivery) = self.deliveries.try_recv() {
                    let invocation = delivery.end(&runner, Invocation::Refused(reason.clone()));
                    runner.record(invocation, Vec::new());
                }
                report.send(Err(StartFailure::NotStarted(reason))).ok();
                return;
            }
        };
        if let Some(id) = process.id() {
            self.environment.0.process_id.set(id).ok();
        }
        let running = RunningEnvironment {
            runner,
            environment: self.environment,
            deliveries: self.deliveries,
            runtime_api,
            process,
            unrecorded: None,
            call_alarm: Alarm::new(),
            idle_alarm: Alarm::new(),
        };
        running.run(report).await;
    }

    async fn start_process(
        &self,
        runner: &Runner,
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<(RuntimeApi, Process)> {
        let runtime_api = RuntimeApi::open()
            .await
            .context("failed to open a port for its Runtime API")?;
        let Controls { session, kill, .. } = self.environment.0.as_ref();
        let process = runner
            .start_process(runtime_api.address(), session, Arc::clone(kill), stop)
            .await?;
        Ok((runtime_api, process))
    }
}

impl StartFailure {
    /// Returns the failure as one sentence about `function`, with the last lines of its process.
    pub(super) fn sentence(&self, function: &str) -> String {
        match self {
            Self::NotStarted(reason) => format!("function {function} did not start: {reason}"),
            Self::Failed(failure, lines) => {
                let failure = failure.sentence();
                let lines: Vec<_> = lines.iter().map(Excerpt::as_str).collect();
                let printed = match lines.as_slice() {
                    [] => " nothing".to_owned(),
                    lines => format!(":\n    {}", lines.join("\n    ")),
                };
                format!("function {function} failed at start: {failure}; it printed{printed}")
            }
        }
    }
}

/// An environment with its running process.
#[derive(Debug)]
struct RunningEnvironment {
    runner: Arc<Runner>,
    environment: Environment,
    deliveries: mpsc::UnboundedReceiver<Delivery>,
    runtime_api: RuntimeApi,
    process: Process,
    /// The last answered invocation, until the function asks for its next event: output before that
    /// belongs to this invocation.
    unrecorded: Option<CompletedInvocation>,
    /// Expires if the runtime does not call in time.
    call_alarm: Alarm,
    /// Expires if no event arrives for too long.
    idle_alarm: Alarm,
}

/// The runtime's pending `next`.
type Next = oneshot::Sender<Event>;

/// The undelivered event, if any.
type Undelivered = Option<Delivery>;

impl RunningEnvironment {
    async fn run(mut self, report: StartSender) {
        match self.initialise().await {
            Ok(next) => {
                report.send(Ok(())).ok();
                self.serve(next).await;
            }
            Err(failure) => {
                let lines = self.process.take_lines();
                self.fail_first(None, &failure, lines.clone());
                report.send(Err(StartFailure::Failed(failure, lines))).ok();
            }
        }
    }

    /// Waits for the first `next`. If the runtime reports an error instead, the process has the
    /// rest of the time limit to end.
    async fn initialise(&mut self) -> Result<Next, Failure> {
        let limit = self.runner.init_limit();
        let deadline = Instant::now() + limit;
        let mut failure = None;
        loop {
            tokio::select! {
                biased;
                call = self.runtime_api.call() => match call {
                    Call::Next(next) => {
                        // Lines before the first event belong to no invocation.
                        self.process.take_lines();
                        return Ok(next);
                    }
                    Call::InitError(error, reply) => {
                        reply.send(CallReply::Accepted).ok();
                        failure = Some(Failure::Reported(error));
                    }
                    early => early.refuse(),
                },
                _ = self.process.ended() => break,
                () = self.call_alarm.until(deadline) => {
                    failure = failure.or(Some(Failure::InitTimedOut(limit)));
                    break;
                }
            }
        }
        let exit = self.end().await;
        Err(failure.unwrap_or(Failure::Exited(exit)))
    }

    /// Handles one event after the other until the process ends.
    async fn serve(&mut self, first: Next) {
        let mut next = Some(first);
        let mut next_deadline = Instant::now() + self.runner.timeout();
        loop {
            let delivery = match self.deliver(next.take(), next_deadline).await {
                Ok(delivery) => delivery,
                Err(undelivered) => {
                    let exit = self.end().await;
                    self.record();
                    let lines = self.process.take_lines();
                    return self.fail_first(undelivered, &Failure::Exited(exit), lines);
                }
            };
            next_deadline = Instant::now() + self.runner.timeout();
            match self.answer(&delivery.request_id, next_deadline).await {
                Ok(answer) => {
                    self.runner.pool().put_back(&self.environment);
                    let invocation = answer.map_or_else(Invocation::Failed, Invocation::Returned);
                    self.unrecorded = Some(delivery.end(&self.runner, invocation));
                }
                Err(failure) => {
                    let error = failure.for_request(&delivery.request_id);
                    let invocation = Invocation::Failed(error);
                    self.unrecorded = Some(delivery.end(&self.runner, invocation));
                    return self.record();
                }
            }
        }
    }

    /// Waits for an event and for the runtime's `next`, in either order, and delivers the event.
    /// Fails if the process ends, is idle for too long or does not call `next` before
    /// `next_deadline`.
    async fn deliver(
        &mut self,
        mut next: Option<Next>,
        next_deadline: Instant,
    ) -> Result<Delivery, Undelivered> {
        let mut waiting: Undelivered = None;
        let mut retire_at = Instant::now() + self.runner.idle_limit();
        loop {
            match (next.take(), waiting.take()) {
                (Some(open), Some(delivery)) => {
                    let event = self.runner.event(&delivery.request_id, &delivery.payload);
                    match open.send(event) {
                        Ok(()) => return Ok(delivery),
                        // The runtime closed the connection: it calls again or ends.
                        Err(_) => waiting = Some(delivery),
                    }
                }
                unmatched => (next, waiting) = unmatched,
            }
            if self.runner.freezes() && next.is_some() {
                self.process.freeze();
            }
            tokio::select! {
                biased;
                _ = self.process.ended() => return Err(waiting),
                call = self.runtime_api.call() => match call {
                    Call::Next(open) => {
                        self.record();
                        next = Some(open);
                    }
                    late => late.refuse(),
                },
                Some(delivery) = self.deliveries.recv(), if waiting.is_none() => {
                    self.process.thaw();
                    waiting = Some(delivery);
                }
                () = self.call_alarm.until(next_deadline), if next.is_none() => return Err(waiting),
                () = self.idle_alarm.until(retire_at), if waiting.is_none() => {
                    if self.runner.pool().remove_if_idle(&self.environment) {
                        return Err(None);
                    }
                    retire_at = Instant::now() + self.runner.idle_limit();
                }
            }
        }
    }

    /// Waits for the answer to the event `request_id`. A failure ends the process.
    async fn answer(
        &mut self,
        request_id: &str,
        deadline: Instant,
    ) -> Result<Result<Bytes, FunctionError>, Failure> {
        loop {
            tokio::select! {
                biased;
                call = self.runtime_api.call() => match call {
                    Call::Answer { request_id: id, answer, reply } if id == request_id => {
                        reply.send(CallReply::Accepted).ok();
                        return Ok(answer);
                    }
                    Call::Answer { reply, .. } => {
                        reply.send(CallReply::WrongRequestId).ok();
                    }
                    unexpected => unexpected.refuse(),
                },
                _ = self.process.ended() => return Err(Failure::Exited(self.end().await)),
                () = self.call_alarm.until(deadline) => {
                    self.end().await;
                    return Err(Failure::TimedOut(self.runner.timeout()));
                }
            }
        }
    }

    /// Records the last invocation, unless it was recorded before.
    fn record(&mut self) {
        if let Some(invocation) = self.unrecorded.take() {
            self.runner.record(invocation, self.process.take_lines());
        }
    }

    /// Removes the environment from the pool and ends its process. Returns how the process ended.
    async fn end(&mut self) -> String {
        self.runner.pool().remove(&self.environment);
        self.process.end().await
    }

    /// Fails the undelivered event if this environment was started for it. Any other event goes to
    /// another environment; this one would cause one failing start after the other.
    fn fail_first(&mut self, undelivered: Undelivered, failure: &Failure, lines: Vec<Excerpt>) {
        self.deliveries.close();
        let undelivered = undelivered.or_else(|| self.deliveries.try_recv().ok());
        if let Some(delivery) = undelivered.filter(|delivery| delivery.cold) {
            let error = failure.for_request(&delivery.request_id);
            let invocation = delivery.end(&self.runner, Invocation::Failed(error));
            self.runner.record(invocation, lines);
        }
    }
}

impl Delivery {
    /// Logs the result in the caller's span and sends it to the caller. Returns the invocation to
    /// record.
    fn end(self, runner: &Runner, invocation: Invocation) -> CompletedInvocation {
        let duration = self.sent_at.elapsed();
        let start = if self.cold { "cold" } else { "warm" };
        self.span.in_scope(|| {
            tracing::info!(
                function = runner.logical_id(),
                request_id = self.request_id,
                duration_ms = duration.as_millis(),
                start,
                outcome = invocation.outcome(),
                reason = invocation.reason(),
                "function invoked"
            );
        });
        let completed =
            CompletedInvocation::now(Some(self.request_id), duration, self.payload, &invocation);
        // The caller may have stopped waiting.
        self.result.send(invocation).ok();
        completed
    }
}
