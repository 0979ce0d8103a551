//! Flushes of presence: the frame of a flush is delivered as any push is.

use std::time::SystemTime;

use herald_shared::{
    delivery::{Delivery, DeliveryError, Report},
    post::Post,
    presence::{Flush, FlushError, Flushed, MemberRows, Members},
    protocol::PresenceFrame,
    push::Push,
    queue::{DeadLetter, Enqueue, EnqueueFlush},
    store::{Forget, ReadAudience, ReadToken},
};
use tokio::time::Instant;

use super::{
    Handled,
    failing::{RecordError, RecordFailure},
};
use crate::message::rfc3339;

/// Makes a flush and delivers its frame. If parts of the frame are on no queue, the whole flush is repeated: a
/// frame with a higher version takes the place of this one.
pub(super) async fn flush<S, P, Q>(
    flush: &Flush,
    deadline: Instant,
    delivery: &Delivery<'_, S, P, Q>,
    members: &Members<impl MemberRows, impl EnqueueFlush, impl Fn() -> SystemTime + Send + Sync>,
    handled: &mut Handled,
) -> Result<(), RecordFailure>
where
    S: ReadAudience + ReadToken + Forget,
    P: Post,
    Q: Enqueue + DeadLetter,
{
    let deliver = async |frame: PresenceFrame| -> Result<(Push, Report), DeliveryError> {
        let push = Push::presence(frame, &rfc3339(SystemTime::now()));
        let push = push.map_err(|error| DeliveryError::TooLarge {
            length: error.length,
        })?;
        let report = delivery.deliver(&push, deadline).await?;
        Ok((push, report))
    };
    match members.flush(flush, deliver).await {
        Ok(Flushed::Posted((push, report))) => {
            handled.add(&push, report);
            Ok(())
        }
        Ok(Flushed::Unchanged) => Ok(()),
        Err(FlushError::Store(error)) => Err(RecordError::Members(error).into()),
        Err(FlushError::Post(error)) => Err(RecordError::Delivery(error).into()),
    }
}
