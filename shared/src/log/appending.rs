//! Claiming offsets and storing messages.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use serde_json::value::RawValue;

use super::{
    CLOCK_MARGIN, Claim, Claimed, ClaimedEvent, Content, Epoch, EventTag, Head, LastValue, Log,
    LogError, LogRow, LogRows, Put, Retention, TRIES, frame, in_milliseconds, patience::Patience,
};
use crate::audience::Audience;

/// A message that is to be numbered.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The event's id, the same in every repeat.
    pub event_id: &'a str,
    /// The frame, a JSON object, without a position.
    pub frame: &'a RawValue,
    /// In mode `last`: the producer's version, by which a message that was overtaken is dropped.
    pub version: Option<u64>,
}

/// The most events of one update. DynamoDB admits expressions of at most 4 KB.
///
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
const CLAIMED_AT_ONCE: usize = 25;

/// An offset that an event has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) epoch: Epoch,
    pub(super) offset: u64,
    /// The time it was claimed.
    at: Duration,
}

impl Number {
    /// Returns whether the event may still use its offset. Once the row of the offset may have been removed, it
    /// may not: a reader may have filled it, and clients have passed it.
    fn is_usable(&self, retention: Retention, now: Duration) -> bool {
        match retention {
            Retention::Seconds(seconds) => {
                now + CLOCK_MARGIN < self.at + Duration::from_secs(seconds)
            }
            Retention::Last => true,
        }
    }
}

/// The result of numbering a message in mode `last`.
pub(super) enum LastNumber {
    Numbered(Number),
    /// A message of a version as high came before.
    Stale,
}

impl<R: LogRows> Log<R> {
    /// Returns the offset of each event: the one that it has, or a new one. All new ones are claimed by one
    /// update, or by one for each 25.
    pub(super) async fn number(
        &self,
        audience: &Audience,
        seconds: u64,
        event_ids: &[&str],
        now: SystemTime,
    ) -> Result<Vec<Number>, LogError> {
        let mut numbers = BTreeMap::new();
        let mut fresh: Vec<&str> = Vec::new();
        for id in event_ids {
            if !fresh.contains(id) {
                fresh.push(id);
            }
        }
        for ids in fresh.chunks(CLAIMED_AT_ONCE) {
            let events: Vec<_> = ids.iter().map(|id| ClaimedEvent::new(id)).collect();
            let claimed = self
                .claim(audience, Retention::Seconds(seconds), &events, now)
                .await?;
            numbers.extend(ids.iter().copied().zip(claimed));
        }
        Ok(event_ids.iter().map(|id| numbers[id].clone()).collect())
    }

    /// Stores a message under its offset, and returns it with the offset that it has in the end: a new one,
    /// if the offset has another row. While the table is throttled, the row is retried with `patience`.
    pub(super) async fn store(
        &self,
        audience: &Audience,
        seconds: u64,
        message: Message<'_>,
        mut number: Number,
        now: SystemTime,
        patience: &Patience,
    ) -> Result<(Number, Box<RawValue>), LogError> {
        for _ in 0..TRIES {
            let frame = frame::numbered(message.frame, &number.epoch, number.offset);
            let row = LogRow {
                offset: number.offset,
                at: number.at,
                content: Content::Message {
                    event_id: message.event_id.to_owned(),
                    frame: frame.clone(),
                },
            };
            let (epoch, kept_until) = (&number.epoch, row.expires_at(seconds));
            let put = || self.rows.put(audience, epoch, &row, kept_until);
            match patience.send(put).await? {
                Put::Stored => return Ok((number, frame)),
                // By an earlier attempt.
                Put::Occupied(LogRow {
                    content: Content::Message { event_id, frame },
                    ..
                }) if event_id == message.event_id => return Ok((number, frame)),
                Put::Occupied(_) => {
                    let lost = Some(number.offset);
                    let event = ClaimedEvent {
                        lost,
                        ..ClaimedEvent::new(message.event_id)
                    };
                    let retention = Retention::Seconds(seconds);
                    // Claimed as of the start, the offset might be so old that a reader fills it at once.
                    let now = now + patience.passed();
                    let mut claimed = self.claim(audience, retention, &[event], now).await?;
                    number = claimed.remove(0);
                }
            }
        }
        Err(LogError::Contended {
            step: "store a message",
        })
    }

    /// Claims offsets for events that the head does not remember; the others have theirs.
    async fn claim(
        &self,
        audience: &Audience,
        retention: Retention,
        events: &[ClaimedEvent],
        now: SystemTime,
    ) -> Result<Vec<Number>, LogError> {
        let mut events = events.to_vec();
        let now = in_milliseconds(now);
        let mut numbers: Vec<Option<Number>> = vec![None; events.len()];
        for _ in 0..TRIES {
            let open: Vec<usize> = (0..events.len())
                .filter(|&index| numbers[index].is_none())
                .collect();
            if open.is_empty() {
                return Ok(numbers.into_iter().flatten().collect());
            }
            let claimed: Vec<_> = open.iter().map(|&index| events[index]).collect();
            let claim = Claim {
                events: &claimed,
                retention,
                new_epoch: &Epoch::random(),
                now,
                last: None,
            };
            match self.claim_in_epoch(audience, claim).await? {
                Some(Claimed::Made(head)) => {
                    let first = head.top + 1 - claimed.len() as u64;
                    for (index, offset) in open.into_iter().zip(first..) {
                        numbers[index] = Some(Number {
                            epoch: head.epoch.clone(),
                            offset,
                            at: head.at,
                        });
                    }
                }
                Some(Claimed::Refused(head)) => {
                    for index in open {
                        match known(&head, events[index]) {
                            Some(number) if number.is_usable(retention, now) => {
                                numbers[index] = Some(number);
                            }
                            Some(number) => events[index].lost = Some(number.offset),
                            None => {}
                        }
                    }
                }
                None => {}
            }
        }
        Err(LogError::Contended {
            step: "claim an offset",
        })
    }

    /// Claims an offset for the only message of a log in mode `last`, which the head has from then on.
    pub(super) async fn number_last(
        &self,
        audience: &Audience,
        message: Message<'_>,
        now: SystemTime,
    ) -> Result<LastNumber, LogError> {
        let event = ClaimedEvent {
            tag: EventTag::of_last(message.event_id),
            lost: None,
        };
        for _ in 0..TRIES {
            let claim = Claim {
                events: &[event],
                retention: Retention::Last,
                new_epoch: &Epoch::random(),
                now: in_milliseconds(now),
                last: Some(LastValue {
                    frame: message.frame,
                    version: message.version,
                }),
            };
            match self.claim_in_epoch(audience, claim).await? {
                Some(Claimed::Made(head)) => {
                    return Ok(LastNumber::Numbered(Number {
                        offset: head.top,
                        at: head.at,
                        epoch: head.epoch,
                    }));
                }
                Some(Claimed::Refused(head)) => {
                    return Ok(known(&head, event).map_or(LastNumber::Stale, LastNumber::Numbered));
                }
                None => {}
            }
        }
        Err(LogError::Contended {
            step: "claim an offset",
        })
    }

    /// Makes a claim, on a new epoch if the log has another retention. `None` if another writer began one.
    async fn claim_in_epoch(
        &self,
        audience: &Audience,
        claim: Claim<'_>,
    ) -> Result<Option<Claimed>, LogError> {
        let head = match self.rows.claim(audience, claim).await? {
            Claimed::Refused(head) if head.retention != claim.retention => head,
            claimed => return Ok(Some(claimed)),
        };
        let mut next = Head {
            restarted: true,
            ..Head::empty(&claim)
        };
        next.apply(&claim);
        let replaced = self.rows.replace_head(audience, &head.epoch, &next).await?;
        Ok(replaced.then_some(Claimed::Made(next)))
    }
}

impl ClaimedEvent {
    fn new(event_id: &str) -> Self {
        Self {
            tag: EventTag::of(event_id),
            lost: None,
        }
    }
}

/// Returns the offset that the event has. `None` if the head admits it.
fn known(head: &Head, event: ClaimedEvent) -> Option<Number> {
    let remembered = head.remembered(event.tag)?;
    (!event.is_admitted(head)).then(|| Number {
        epoch: head.epoch.clone(),
        offset: remembered.offset,
        at: remembered.at,
    })
}
