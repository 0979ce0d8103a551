//! Publishing messages: the order of the steps.

use std::{
    future::Future,
    time::{Duration, SystemTime},
};

use futures_util::future::join_all;
use serde_json::value::RawValue;

use super::{
    Log, LogError, LogPolicy, LogRows, Message, Position,
    appending::{LastNumber, Number},
    frame,
    patience::Patience,
};
use crate::audience::Audience;

/// A message that is in the log and may be posted.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The number of the message in the order that it was given in.
    pub index: usize,
    /// The position after it: its own epoch and offset.
    pub position: Position,
    /// The frame with the position in it.
    pub frame: Box<RawValue>,
}

/// The result for one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published<T> {
    /// It is in the log, and this is what its delivery returned.
    Delivered(T),
    /// It was dropped: in mode `last`, one of a version as high came before.
    Stale,
}

/// Numbers messages for one audience, stores each in the log, and only then has it delivered: `deliver`
/// reads the audience and posts, or puts the message on the queue that leads there.
///
/// A subscriber stores its listener row before it reads the log. So it either finds the message in the log,
/// or is in the audience that `deliver` reads. Without that order a message could miss both.
///
/// All messages claim their offsets in one update. Each is then stored and delivered for itself, at the same
/// time as the others; the results are in the order of the messages. In mode `last` each claims its
/// offset for itself, in their order.
///
/// While the table is throttled, rows are retried for the time `patience`: a message that is given up has an
/// offset that it may lose. A claim is not retried, as it has nothing to lose.
///
/// An event that is published again, because the first attempt stopped anywhere, has the offset that it had,
/// unless the head has forgotten it.
///
/// # Errors
///
/// Returns [`LogError`] if no offsets were claimed, and for a message if it could not be stored: it was not
/// delivered then. To publish it again completes it.
pub async fn publish<R, T, F>(
    log: &Log<R>,
    audience: &Audience,
    policy: LogPolicy,
    messages: &[Message<'_>],
    now: SystemTime,
    patience: Duration,
    deliver: impl Fn(Stored) -> F,
) -> Result<Vec<Result<Published<T>, LogError>>, LogError>
where
    R: LogRows,
    F: Future<Output = T>,
{
    let seconds = match policy {
        LogPolicy::Last => return Ok(publish_last(log, audience, messages, now, deliver).await),
        LogPolicy::Messages { seconds, .. } => seconds,
    };
    let ids: Vec<_> = messages.iter().map(|message| message.event_id).collect();
    let numbers = log.number(audience, seconds, &ids, now).await?;
    let (deliver, patience) = (&deliver, &Patience::of(patience));
    let published = messages.iter().zip(numbers).enumerate();
    let published = published.map(|(index, (message, number))| async move {
        let stored = log.store(audience, seconds, *message, number, now, patience);
        let stored = stored.await?;
        let delivered = deliver(Stored::of(index, stored)).await;
        Ok(Published::Delivered(delivered))
    });
    Ok(join_all(published).await)
}

async fn publish_last<R, T, F>(
    log: &Log<R>,
    audience: &Audience,
    messages: &[Message<'_>],
    now: SystemTime,
    deliver: impl Fn(Stored) -> F,
) -> Vec<Result<Published<T>, LogError>>
where
    R: LogRows,
    F: Future<Output = T>,
{
    let mut published = Vec::with_capacity(messages.len());
    for (index, message) in messages.iter().enumerate() {
        published.push(match log.number_last(audience, *message, now).await {
            Ok(LastNumber::Numbered(number)) => {
                let frame = frame::numbered(message.frame, &number.epoch, number.offset);
                let stored = Stored::of(index, (number, frame));
                Ok(Published::Delivered(deliver(stored).await))
            }
            Ok(LastNumber::Stale) => Ok(Published::Stale),
            Err(error) => Err(error),
        });
    }
    published
}

impl Stored {
    fn of(index: usize, (number, frame): (Number, Box<RawValue>)) -> Self {
        Self {
            index,
            position: Position::after(number.epoch, number.offset),
            frame,
        }
    }
}
