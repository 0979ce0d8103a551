//! One execution environment: a function process from its start to its end.
//!
//! A task owns the process and everything about it; the rest of the host holds an [`Environment`],
//! through which it hands over one event at a time. The life follows
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>:
//!
//! - *init*: from the start to the first `next`, within a limit;
//! - *idle*: nothing to do; with `freeze`, stopped as soon as it has asked for its next event;
//! - *busy*: from handing over an event to the answer, to the process's end or to the time limit.
//!
//! The environment is idle again from its answer on, as the `next` that ends an invocation follows
//! within microseconds; an event that comes in between waits for it. A process that stays away for
//! longer than the function's time limit is ended.

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
    ended::Ended,
    failure::Failure,
    process::Process,
    runner::{Place, Runner},
    runtime_api::{Call, Desk, Event, Verdict},
};
use crate::activity::Excerpt;

/// A handle on an environment. Two handles are equal if they are on the same one.
#[derive(Clone, Debug)]
pub(super) struct Environment(Arc<Controls>);

/// An environment about to start.
#[derive(Debug)]
pub(super) struct Birth {
    environment: Environment,
    deliveries: mpsc::UnboundedReceiver<Delivery>,
}

/// Tells what the start of an environment came to: ready for its first event, or not.
pub(super) type Starting = oneshot::Receiver<Result<(), StartFailure>>;

type StartReport = oneshot::Sender<Result<(), StartFailure>>;

/// Why an environment never became ready.
#[derive(Debug)]
pub(super) enum StartFailure {
    /// The operating system could not start the process. Holds the reason.
    NotStarted(String),
    /// The process was started, and then failed. Holds how, and the last lines it printed.
    Failed(Failure, Vec<Excerpt>),
}

#[derive(Debug)]
struct Controls {
    deliveries: mpsc::UnboundedSender<Delivery>,
    kill: Arc<Notify>,
    process_id: OnceLock<u32>,
}

/// An event on its way to the function, and the way back for the outcome. Dropping it tells the
/// sender that the function never got the event.
#[derive(Debug)]
struct Delivery {
    request_id: String,
    payload: Bytes,
    /// Whether the environment was started for this event.
    cold: bool,
    sent_at: Instant,
    span: Span,
    outcome: oneshot::Sender<Invocation>,
    /// Held here, too, since the invocation may outlive its caller.
    _place: Place,
}

impl Environment {
    /// Makes an environment, and what is needed to start it.
    pub(super) fn new() -> (Self, Birth) {
        let (sender, deliveries) = mpsc::unbounded_channel();
        let environment = Self(Arc::new(Controls {
            deliveries: sender,
            kill: Arc::default(),
            process_id: OnceLock::new(),
        }));
        let birth = Birth {
            environment: environment.clone(),
            deliveries,
        };
        (environment, birth)
    }

    /// Runs one invocation in `place`; `cold` says that the environment was started for it. `None`:
    /// the environment ended before it took the event, so that another one may have it. As on AWS
    /// the invocation goes on when its caller stops waiting.
    pub(super) async fn invoke(
        &self,
        payload: Bytes,
        cold: bool,
        place: Place,
    ) -> Option<Invocation> {
        let (outcome, ended) = oneshot::channel();
        let delivery = Delivery {
            request_id: Uuid::new_v4().to_string(),
            payload,
            cold,
            sent_at: Instant::now(),
            span: Span::current(),
            outcome,
            _place: place,
        };
        // What cannot be sent is dropped, which is how `ended` gets to know.
        self.0.deliveries.send(delivery).ok();
        ended.await.ok()
    }

    /// Kills the process. The caller takes the environment out of its pool first.
    pub(super) fn kill(&self) {
        self.0.kill.notify_one();
    }

    /// The process id, once there is a process.
    pub(super) fn process_id(&self) -> Option<u32> {
        self.0.process_id.get().copied()
    }
}

impl PartialEq for Environment {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Birth {
    /// Starts the environment in a task of its own that lasts as long as the process. The task keeps
    /// a clone of `stop` to its very end, so whoever holds the sender can wait for that.
    pub(super) fn start(self, runner: Arc<Runner>, stop: watch::Receiver<bool>) -> Starting {
        let (report, start) = oneshot::channel();
        tokio::spawn(async move {
            self.live(runner, stop.clone(), report).await;
            drop(stop);
        });
        start
    }

    async fn live(mut self, runner: Arc<Runner>, stop: watch::Receiver<bool>, report: StartReport) {
        let (desk, process) = match self.start_process(&runner, stop).await {
            Ok(started) => started,
            Err(error) => {
                runner.pool().remove(&self.environment);
                let reason = format!("{error:#}");
                if let Ok(delivery) = self.deliveries.try_recv() {
                    let ended = delivery.end(&runner, Invocation::Refused(reason.clone()));
                    runner.record(ended, Vec::new());
                }
                report.send(Err(StartFailure::NotStarted(reason))).ok();
                return;
            }
        };
        if let Some(id) = process.id() {
            self.environment.0.process_id.set(id).ok();
        }
        let life = Life {
            runner,
            environment: self.environment,
            deliveries: self.deliveries,
            desk,
            process,
            unrecorded: None,
            call_alarm: Alarm::new(),
            idle_alarm: Alarm::new(),
        };
        life.run(report).await;
    }

    async fn start_process(
        &self,
        runner: &Runner,
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<(Desk, Process)> {
        let desk = Desk::open()
            .await
            .context("could not open a port for its Runtime API")?;
        let kill = Arc::clone(&self.environment.0.kill);
        let process = runner.start_process(desk.address(), kill, stop).await?;
        Ok((desk, process))
    }
}

impl StartFailure {
    /// The failure as one sentence about `function`, which ends with what its process printed last.
    pub(super) fn sentence(&self, function: &str) -> String {
        match self {
            Self::NotStarted(reason) => format!("function {function} was not started: {reason}"),
            Self::Failed(failure, lines) => {
                let how = failure.sentence();
                let lines: Vec<_> = lines.iter().map(Excerpt::as_str).collect();
                let printed = match lines.as_slice() {
                    [] => " nothing".to_owned(),
                    lines => format!(":\n    {}", lines.join("\n    ")),
                };
                format!("function {function} failed at start: {how}; it printed{printed}")
            }
        }
    }
}

/// An environment with its process.
#[derive(Debug)]
struct Life {
    runner: Arc<Runner>,
    environment: Environment,
    deliveries: mpsc::UnboundedReceiver<Delivery>,
    desk: Desk,
    process: Process,
    /// An invocation that was answered, until the function asks for its next event: what it prints up to
    /// then belongs to this one.
    unrecorded: Option<Ended>,
    /// Goes off when the runtime takes too long to call.
    call_alarm: Alarm,
    /// Goes off when there has been no event for too long.
    idle_alarm: Alarm,
}

/// The runtime waiting for its next event.
type Next = oneshot::Sender<Event>;

/// An event that was not handed over, if there was one.
type Undelivered = Option<Delivery>;

impl Life {
    async fn run(mut self, report: StartReport) {
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

    /// Waits for the first `next`. When the runtime reports an error instead, its process should
    /// end at once, and is given the time to.
    async fn initialise(&mut self) -> Result<Next, Failure> {
        let limit = self.runner.init_limit();
        let give_up_at = Instant::now() + limit;
        let mut failure = None;
        loop {
            tokio::select! {
                biased;
                call = self.desk.call() => match call {
                    Call::Next(next) => {
                        // They belong to no invocation.
                        self.process.take_lines();
                        return Ok(next);
                    }
                    Call::InitError(error, verdict) => {
                        verdict.send(Verdict::Accepted).ok();
                        failure = Some(Failure::Reported(error));
                    }
                    early => early.refuse(),
                },
                _ = self.process.ended() => break,
                () = self.call_alarm.until(give_up_at) => {
                    failure = failure.or(Some(Failure::InitTimedOut(limit)));
                    break;
                }
            }
        }
        let how = self.end().await;
        Err(failure.unwrap_or(Failure::Exited(how)))
    }

    /// Works on one event after the other until the process has ended.
    async fn serve(&mut self, first: Next) {
        let mut next = Some(first);
        let mut ask_by = Instant::now() + self.runner.timeout();
        loop {
            let delivery = match self.hand_over(next.take(), ask_by).await {
                Ok(delivery) => delivery,
                Err(undelivered) => {
                    let how = self.end().await;
                    self.record();
                    let lines = self.process.take_lines();
                    return self.fail_first(undelivered, &Failure::Exited(how), lines);
                }
            };
            ask_by = Instant::now() + self.runner.timeout();
            match self.answer(&delivery.request_id, ask_by).await {
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

    /// Brings the next event and the runtime's `next` together, whichever comes first. Errs if that
    /// does not come about: the process has ended, or is no longer wanted.
    async fn hand_over(
        &mut self,
        mut next: Option<Next>,
        ask_by: Instant,
    ) -> Result<Delivery, Undelivered> {
        let mut waiting: Undelivered = None;
        let mut retire_at = Instant::now() + self.runner.idle_limit();
        loop {
            match (next.take(), waiting.take()) {
                (Some(open), Some(delivery)) => {
                    let event = self.runner.event(&delivery.request_id, &delivery.payload);
                    match open.send(event) {
                        Ok(()) => return Ok(delivery),
                        // The runtime hung up: it will call again, or end.
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
                call = self.desk.call() => match call {
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
                () = self.call_alarm.until(ask_by), if next.is_none() => return Err(waiting),
                () = self.idle_alarm.until(retire_at), if waiting.is_none() => {
                    if self.runner.pool().remove_if_idle(&self.environment) {
                        return Err(None);
                    }
                    retire_at = Instant::now() + self.runner.idle_limit();
                }
            }
        }
    }

    /// Waits for the answer to the event `request_id`. Errs, with the process ended, if there is none.
    async fn answer(
        &mut self,
        request_id: &str,
        deadline: Instant,
    ) -> Result<Result<Bytes, FunctionError>, Failure> {
        loop {
            tokio::select! {
                biased;
                call = self.desk.call() => match call {
                    Call::Answer { request_id: id, answer, verdict } if id == request_id => {
                        verdict.send(Verdict::Accepted).ok();
                        return Ok(answer);
                    }
                    Call::Answer { verdict, .. } => {
                        verdict.send(Verdict::WrongRequestId).ok();
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

    /// Tells of the invocation that has ended last, if that was not told.
    fn record(&mut self) {
        if let Some(ended) = self.unrecorded.take() {
            self.runner.record(ended, self.process.take_lines());
        }
    }

    /// Takes the environment out of the pool and ends its process. Returns how that ended.
    async fn end(&mut self) -> String {
        self.runner.pool().remove(&self.environment);
        self.process.end().await
    }

    /// Fails the event that this environment was started for, if that is the one it did not take.
    /// Others go to another environment; this one would send its caller from failing start to
    /// failing start.
    fn fail_first(&mut self, undelivered: Undelivered, failure: &Failure, lines: Vec<Excerpt>) {
        self.deliveries.close();
        let undelivered = undelivered.or_else(|| self.deliveries.try_recv().ok());
        if let Some(delivery) = undelivered.filter(|delivery| delivery.cold) {
            let error = failure.for_request(&delivery.request_id);
            let ended = delivery.end(&self.runner, Invocation::Failed(error));
            self.runner.record(ended, lines);
        }
    }
}

impl Delivery {
    /// Logs the invocation's end in its caller's span and tells the caller. Returns what is left to
    /// tell to whoever watches.
    fn end(self, runner: &Runner, invocation: Invocation) -> Ended {
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
        // The caller may have stopped waiting.
        self.outcome.send(invocation.clone()).ok();
        Ended {
            request_id: Some(self.request_id),
            duration,
            event: self.payload,
            invocation,
        }
    }
}
