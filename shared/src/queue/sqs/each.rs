//! Pushes that SQS stores or refuses independently of each other.

use std::time::Duration;

use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchRequestEntry};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout_at};

use super::{NotificationQueue, batches, entry, failed};
use crate::{
    backoff::bound,
    push::Push,
    queue::{EnqueueEach, EnqueueError, Enqueued},
};

/// The bound of the first pause before entries that SQS refused are sent again; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The bound of the longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl EnqueueEach for NotificationQueue {
    async fn enqueue_each(&self, pushes: &[Push], until: Instant) -> Enqueued {
        let bodies: Vec<_> = pushes.iter().map(Push::to_queue_body).collect();
        let batches = batches(&bodies).map(|batch| async move {
            let mut sending = Sending::new(batch);
            match timeout_at(until, sending.run(self)).await {
                Ok(failure) => sending.ended(failure),
                Err(_) => sending.ended(Some(EnqueueError::TimedOut)),
            }
        });
        let all = Enqueued {
            stored: Vec::with_capacity(pushes.len()),
            failure: None,
        };
        join_all(batches).await.into_iter().fold(all, Enqueued::and)
    }
}

impl Enqueued {
    fn and(mut self, next: Self) -> Self {
        self.stored.extend(next.stored);
        self.failure = next.failure.or(self.failure);
        self
    }
}

/// A batch on its way to the queue.
struct Sending<'a> {
    bodies: &'a [String],
    stored: Vec<bool>,
    /// The places of the bodies that are to be sent, again or for the first time.
    open: Vec<usize>,
    /// SQS said that a body will never be stored.
    refused: Option<EnqueueError>,
}

impl<'a> Sending<'a> {
    fn new(bodies: &'a [String]) -> Self {
        Self {
            bodies,
            stored: vec![false; bodies.len()],
            open: (0..bodies.len()).collect(),
            refused: None,
        }
    }

    /// Sends what is open until nothing is. Returns why it gave up before, if it did.
    async fn run(&mut self, queue: &NotificationQueue) -> Option<EnqueueError> {
        for attempt in 0.. {
            let entries = match self.entries() {
                Ok(entries) => entries,
                Err(error) => return Some(error),
            };
            let sent = queue
                .client
                .send_message_batch()
                .queue_url(&queue.url)
                .set_entries(Some(entries))
                .send()
                .await;
            match sent {
                // The SDK has repeated the call already.
                Err(error) => return Some(failed(error)),
                Ok(answer) => self.take(answer.failed()),
            }
            if self.open.is_empty() {
                break;
            }
            sleep(bound(FIRST_PAUSE, LONGEST_PAUSE, attempt).mul_f64(fastrand::f64())).await;
        }
        None
    }

    fn entries(&self) -> Result<Vec<SendMessageBatchRequestEntry>, EnqueueError> {
        let open = self.open.iter();
        open.map(|&place| entry(place, &self.bodies[place], 0))
            .collect()
    }

    /// Keeps open what SQS refused for a reason of its own. What it refused for a fault of the sender, it
    /// would refuse again.
    fn take(&mut self, failures: &[BatchResultErrorEntry]) {
        let failure = |place: usize| {
            let id = place.to_string();
            failures.iter().find(move |failure| failure.id() == id)
        };
        for &place in &self.open {
            match failure(place) {
                None => self.stored[place] = true,
                Some(failure) if failure.sender_fault() => self.refused = Some(refusal(failure)),
                Some(_) => {}
            }
        }
        self.open
            .retain(|&place| failure(place).is_some_and(|failure| !failure.sender_fault()));
    }

    fn ended(self, failure: Option<EnqueueError>) -> Enqueued {
        Enqueued {
            stored: self.stored,
            failure: failure.or(self.refused),
        }
    }
}

fn refusal(failure: &BatchResultErrorEntry) -> EnqueueError {
    let message = failure.message().unwrap_or_default();
    EnqueueError::Failed(format!("{}: {message}", failure.code()).into())
}
