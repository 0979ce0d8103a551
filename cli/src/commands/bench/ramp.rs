//! Making the connections: a bounded number a second, and a bounded number at once.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, future::join_all, stream};
use hdrhistogram::Histogram;
use herald_client::{Client, Options, Subscription};
use herald_shared::in_full::in_full;
use tokio::time::{sleep_until, timeout};

use super::{
    account::{histogram, record},
    events::Names,
    interrupts::Interrupts,
    plan::Plan,
    progress::Progress,
};
use crate::{
    failure::Failure,
    target::{Target, TokenSource, not_connected, not_done, options},
};

/// How long one connection may take, from the first attempt to its last subscription.
const CONNECT_WITHIN: Duration = Duration::from_secs(60);

/// How fast connections are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How many a second are begun.
    pub(super) rate: f64,
    /// How many at most are under way at once.
    pub(super) at_once: usize,
}

/// A connection that is open, with all its subscriptions.
pub(super) struct Participant {
    /// Its number in the plan.
    pub(super) number: usize,
    pub(super) client: Client,
    pub(super) subscriptions: Vec<Subscription>,
}

/// How the connections were made.
pub(super) struct Ramp {
    pub(super) participants: Vec<Participant>,
    /// How many did not come about.
    pub(super) failed: usize,
    /// Why the first of these did not.
    pub(super) first_failure: Option<String>,
    pub(super) took: Duration,
    /// From the first attempt of a connection to its last subscription, in microseconds.
    pub(super) times: Histogram<u64>,
}

/// What all connections need to know.
pub(super) struct Door<'a> {
    pub(super) target: &'a Target,
    pub(super) tokens: Option<TokenSource>,
    pub(super) names: Names,
    pub(super) plan: Plan,
}

impl Door<'_> {
    /// Makes all connections. Errs if the first one cannot be made: the others would not be, either.
    pub(super) async fn connect_all(
        &self,
        pace: Pace,
        progress: &Progress,
        interrupts: &Interrupts,
    ) -> Result<Ramp, Failure> {
        progress.stage("connecting", self.plan.connections);
        let start = Instant::now();
        let mut ramp = Ramp {
            participants: Vec::new(),
            failed: 0,
            first_failure: None,
            took: Duration::ZERO,
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
        ramp.participants.push(first?);
        record(&mut ramp.times, time);

        let others = stream::iter(1..self.plan.connections)
            .then(|number| async move {
                let begin = start + Duration::from_secs_f64(number as f64 / pace.rate);
                sleep_until(begin.into()).await;
                number
            })
            .map(|number| timed(self.participant(number)))
            .buffer_unordered(pace.at_once)
            .take_until(interrupts.clone().pressed());
        let mut others = std::pin::pin!(others);
        while let Some((participant, time)) = others.next().await {
            match participant {
                Ok(participant) => {
                    ramp.participants.push(participant);
                    record(&mut ramp.times, time);
                }
                Err(failure) => {
                    ramp.failed += 1;
                    ramp.first_failure
                        .get_or_insert_with(|| format!("{:#}", failure.into_error()));
                }
            }
            progress.set((ramp.participants.len() + ramp.failed) as u64);
        }
        ramp.took = start.elapsed();
        Ok(ramp)
    }

    /// Makes one connection with its subscriptions. Its client tries again by itself.
    async fn participant(&self, number: usize) -> Result<Participant, Failure> {
        let address = self.target.web_socket()?;
        let client = Client::start(address, self.options(number))
            .map_err(|error| Failure::usage(in_full(&error)))?;
        let opened = timeout(CONNECT_WITHIN, self.subscribe(number, client.clone())).await;
        opened.unwrap_or_else(|_| {
            Err(match client.last_failure() {
                Some(error) => not_connected(address, &error),
                None => Failure::unavailable(format!(
                    "{address} did not answer within {} s",
                    CONNECT_WITHIN.as_secs()
                )),
            })
        })
    }

    /// Waits until a client has all its subscriptions.
    async fn subscribe(&self, number: usize, client: Client) -> Result<Participant, Failure> {
        let entities = self.plan.entities_of(number);
        let subscribing = entities.map(|entity| client.subscribe(self.names.entity(entity)));
        let subscriptions = join_all(subscribing)
            .await
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| not_done("a subscription", &error))?;
        Ok(Participant {
            number,
            client,
            subscriptions,
        })
    }

    /// A client that tells of every repeat, and never drops what its reader has not read yet.
    fn options(&self, number: usize) -> Options {
        // One user may not have as many connections as there are here.
        let tokens = self.tokens.as_ref();
        options(tokens.map(|tokens| tokens.of_another_user(number)))
            .repeat_window(0)
            .buffer(usize::MAX)
    }
}

async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let start = Instant::now();
    let output = future.await;
    (output, start.elapsed())
}
