//! Events for the backend that the bus did not accept.

use std::time::Duration;

use herald_shared::queue::EnqueueBodies;
use tokio::time::Instant;

use super::failing::{RecordError, RecordFailure};
use crate::{
    backend_events::Announcer,
    bus::{Bus, BusEvent},
};

/// The time for one record: SQS delivers a record that failed again.
const TIME: Duration = Duration::from_millis(2_500);

/// The time between the end of the last call and the deadline: enough to settle a failure.
const RESERVE: Duration = Duration::from_secs(4);

/// Puts the events of a record on the bus. After a failure, all of them are put again.
pub(super) async fn put(
    events: &[BusEvent],
    deadline: Instant,
    backend: &Announcer<impl Bus, impl EnqueueBodies>,
) -> Result<(), RecordFailure> {
    let until = deadline.checked_sub(RESERVE).unwrap_or(deadline);
    let until = until.min(Instant::now() + TIME);
    match backend.put_queued(events, until).await {
        None => Err(RecordError::BackendEventsOff.into()),
        Some(put) => put.map_err(|error| RecordError::Bus(error).into()),
    }
}
