//! Opening the connections, with a limit a second and a limit at once.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, future::join_all, stream};
use hdrhistogram::Histogram;
use herald_client::{Client, Options, Subscription};
use herald_shared::error_chain::error_chain;
use tokio::time::{sleep_until, timeout};

use super::{
    account::{histogram, record},
    events::RunId,
    interrupts::Interrupts,
    plan::Plan,
    progress::Progress,
};
use crate::{
    failure::{Failure, attempt_failure, request_failure},
    target::{Target, TokenSource, client_options},
};

/// The longest time of one connection, from its first attempt to its last subscription.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// The limits of opening connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Connections a second.
    pub(super) rate: f64,
    /// Connections that are being opened at once.
    pub(super) at_once: usize,
}

/// An open connection with its subscriptions.
pub(super) struct Subscriber {
    /// The connection's number in the plan.
    pub(super) number: usize,
    pub(super) client: Client,
    pub(super) subscriptions: Vec<Subscription>,
}

/// The connections of a run.
pub(super) struct Ramp {
    pub(super) subscribers: Vec<Subscriber>,
    pub(super) result: RampResult,
}

/// The result of opening the connections.
pub(super) struct RampResult {
    pub(super) open: usize,
    pub(super) failed: usize,
    /// The reason of the first failure.
    pub(super) first_failure: Option<String>,
    pub(super) duration: Duration,
    /// The times from the first attempt of a connection to its last subscription, in microseconds.
    pub(super) times: Histogram<u64>,
}

/// Opens the connections of a run.
pub(super) struct Connector<'a> {
    pub(super) target: &'a Target,
    pub(super) tokens: Option<TokenSource>,
    pub(super) run_id: RunId,
    pub(super) plan: Plan,
}

impl Connector<'_> {
    /// Opens all connections. Fails if the first one fails, because the others would fail as well.
    pub(super) async fn connect_all(
        &self,
        pace: Pace,
        progress: &Progress,
        interrupts: &Interrupts,
    ) -> Result<Ramp, Failure> {
        progress.stage("connecting", self.plan.connections);
        let start = Instant::now();
        let mut subscribers = Vec::new();
        let mut result = RampResult {
            open: 0,
            failed: 0,
            first_failure: None,
            duration: Duration::ZERO,
            times: histogram(),
        };
        let first = async {
            let client = self.target.connect_with(self.options(0)).await?;
            self.subscribe(0, client).await
        };
        let (first, time) = tokio::select! {
            first = timed(first) => first,
            () = interrupts.clone().pressed() => return Err(Failure::Interrupted),
        };
        subscribers.push(first?);
        record(&mut result.times, time);

        let others = stream::iter(1..self.plan.connections)
            .then(|number| async move {
                let start_at = start + Duration::from_secs_f64(number as f64 / pace.rate);
                sleep_until(start_at.into()).await;
                number
            })
            .map(|number| timed(self.subscriber(number)))
            .buffer_unordered(pace.at_once)
            .take_until(interrupts.clone().pressed());
        let mut others = std::pin::pin!(others);
        while let Some((subscriber, time)) = others.next().await {
            match subscriber {
                Ok(subscriber) => {
                    subscribers.push(subscriber);
                    record(&mut result.times, time);
                }
                Err(failure) => {
                    result.failed += 1;
                    result
                        .first_failure
                        .get_or_insert_with(|| format!("{:#}", failure.into_error()));
                }
            }
            progress.set((subscribers.len() + result.failed) as u64);
        }
        result.open = subscribers.len();
        result.duration = start.elapsed();
        Ok(Ramp {
            subscribers,
            result,
        })
    }

    /// Opens one connection with its subscriptions. Its client retries.
    async fn subscriber(&self, number: usize) -> Result<Subscriber, Failure> {
        let address = self.target.addresses.web_socket()?;
        let client = Client::start(address, self.options(number))
            .map_err(|error| Failure::usage(error_chain(&error)))?;
        let opened = timeout(CONNECT_TIMEOUT, self.subscribe(number, client.clone())).await;
        opened.unwrap_or_else(|_| {
            Err(match client.last_failure() {
                Some(error) => attempt_failure(address, &error),
                None => Failure::unavailable(format!(
                    "{address} did not answer within {} s",
                    CONNECT_TIMEOUT.as_secs()
                )),
            })
        })
    }

    /// Waits until a client has all its subscriptions.
    async fn subscribe(&self, number: usize, client: Client) -> Result<Subscriber, Failure> {
        let entities = self.plan.entities_of(number);
        let subscribing = entities.map(|entity| client.subscribe(self.run_id.entity(entity)));
        let subscriptions = join_all(subscribing)
            .await
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| request_failure("cannot subscribe", &error))?;
        Ok(Subscriber {
            number,
            client,
            subscriptions,
        })
    }

    /// Returns the options of a client that reports repeats, and never drops unread pushes.
    fn options(&self, number: usize) -> Options {
        // The connections of one user are limited.
        let tokens = self.tokens.as_ref();
        client_options(tokens.map(|tokens| tokens.for_user(number)))
            .repeat_window(0)
            .buffer(usize::MAX)
    }
}

async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let start = Instant::now();
    let output = future.await;
    (output, start.elapsed())
}
