//! Reading the log: what a client missed, and what is left to come.

use std::time::{Duration, SystemTime};

use serde_json::value::RawValue;

use super::{
    CLOCK_MARGIN, Consistency, Content, FILL_AFTER, Head, Log, LogError, LogPolicy, LogRow,
    LogRows, Position, Put, Retention, frame, in_milliseconds,
};
use crate::audience::Audience;

mod page;
mod scan;

use page::Pages;
use scan::Scan;

/// The room for messages in one reply. A reply with several logs has one budget for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The bytes that the frames may have together.
    pub bytes: usize,
    /// The number of messages.
    pub messages: usize,
    /// True while the reply has no message. The first may have more than `bytes`, or it could never be read.
    pub is_empty: bool,
}

impl Budget {
    /// The budget of one reply, which may have 128 KiB in all.
    ///
    /// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
    pub const REPLY: Self = Self {
        bytes: 96 * 1024,
        messages: 300,
        is_empty: true,
    };

    /// The budget of a reply that several logs share. A message with more bytes than all of it is left for a
    /// request of its own.
    pub const SHARED_REPLY: Self = Self {
        is_empty: false,
        ..Self::REPLY
    };

    /// Returns the same budget for at most so many messages.
    pub fn at_most(self, messages: usize) -> Self {
        Self {
            messages: self.messages.min(messages),
            ..self
        }
    }

    /// Spends the budget on a frame. Returns false if there is no room for it.
    fn spend(&mut self, frame: &RawValue) -> bool {
        let length = frame.get().len();
        if self.messages == 0 || (length > self.bytes && !self.is_empty) {
            return false;
        }
        self.messages -= 1;
        self.bytes = self.bytes.saturating_sub(length);
        self.is_empty = false;
        true
    }
}

/// The part of a log that a client may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// As far as the log goes: the permission `history`.
    Log,
    /// Messages that claimed their offset at most so long ago.
    Within(Duration),
}

/// Messages of a log, in order and without a gap.
#[derive(Clone, Debug)]
pub struct Excerpt {
    /// The position after the last message: nothing is missing up to it.
    pub position: Position,
    /// The last offset that was claimed. Messages up to it are on their way, or in the log if there is `more`.
    pub top: u64,
    /// The frames, each with its own position in it.
    pub messages: Vec<Box<RawValue>>,
    /// True if the budget ended the excerpt. The rest is read from its position.
    pub more: bool,
}

impl Excerpt {
    /// Returns an excerpt without messages.
    pub(super) fn empty(position: Position) -> Self {
        Self {
            top: position.offset,
            position,
            messages: Vec::new(),
            more: false,
        }
    }
}

/// The answer to a client that wants every message since a position.
#[derive(Clone, Debug)]
pub enum Recovery {
    /// Every message since the position, or the first of them if there is `more`.
    Recovered(Excerpt),
    /// Messages since the position are lost: they have expired, exceed the policy, or belong to another epoch.
    /// The same is answered if nothing proves the contrary. The client is live from this position.
    Lost(Position),
}

/// The answer to a client that compares its position.
#[derive(Clone, Debug)]
pub enum Synced {
    /// The client has everything. The usual answer.
    Current,
    /// It has not.
    Behind(Recovery),
}

/// The messages that a client wants to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Those since a position.
    Since(Position),
    /// The last ones, at most so many.
    Last(usize),
    /// At most so many of those before an offset, of the present epoch.
    Before(u64, usize),
}

/// A reader's request to one log.
#[derive(Clone, Copy)]
struct Request<'a> {
    audience: &'a Audience,
    policy: LogPolicy,
    reach: Reach,
    now: Duration,
    /// True if holes that are old enough are filled.
    fills: bool,
}

impl<R: LogRows> Log<R> {
    /// Returns the position from which a new subscriber is live, at the price of one read of the head: the
    /// last offset that was claimed, or [`Position::START`].
    ///
    /// The subscriber's listener row is stored. So every message that is numbered from now on is posted to it,
    /// and each of those was published after the subscriber asked. A message that has its number and is not
    /// stored yet was published before.
    ///
    /// # Errors
    ///
    /// Returns [`LogError`] if the head could not be read.
    pub async fn position(&self, audience: &Audience) -> Result<Position, LogError> {
        let head = self.rows.head(audience, Consistency::Strong).await?;
        Ok(head.map_or(Position::START, |head| head.end()))
    }

    /// Returns every message since a position, or that they are lost. It fills no hole.
    ///
    /// # Errors
    ///
    /// Returns [`LogError`] if the log could not be read.
    pub async fn recover(
        &self,
        audience: &Audience,
        policy: LogPolicy,
        since: &Position,
        reach: Reach,
        budget: &mut Budget,
        now: SystemTime,
    ) -> Result<Recovery, LogError> {
        let request = Request {
            audience,
            policy,
            reach,
            now: in_milliseconds(now),
            fills: false,
        };
        let head = self.rows.head(audience, Consistency::Strong).await?;
        self.since(request, head, since, budget).await
    }

    /// Returns whether a client at this position has every message, at the price of half a read unit.
    ///
    /// The head is read eventually consistent: most clients that ask are current, and a message that this read
    /// misses is found by the next one.
    ///
    /// # Errors
    ///
    /// Returns [`LogError`] if the head could not be read.
    pub async fn is_current(
        &self,
        audience: &Audience,
        since: &Position,
    ) -> Result<bool, LogError> {
        let head = self.rows.head(audience, Consistency::Eventual).await?;
        Ok(head.as_ref().map_or(Position::START, Head::end) == *since)
    }

    /// Compares a position with the log as [`is_current`](Self::is_current) does, and recovers from it if it is
    /// behind. It fills the holes that a reader may fill. Anything but a current position is read again,
    /// consistently.
    ///
    /// # Errors
    ///
    /// Returns [`LogError`] if the log could not be read, or a hole not filled.
    pub async fn sync(
        &self,
        audience: &Audience,
        policy: LogPolicy,
        since: &Position,
        reach: Reach,
        budget: &mut Budget,
        now: SystemTime,
    ) -> Result<Synced, LogError> {
        if self.is_current(audience, since).await? {
            return Ok(Synced::Current);
        }
        self.catch_up(audience, policy, since, reach, budget, now)
            .await
    }

    /// Recovers from a position of which [`is_current`](Self::is_current) said that it is behind. It fills the
    /// holes that a reader may fill.
    ///
    /// # Errors
    ///
    /// Returns [`LogError`] if the log could not be read, or a hole not filled.
    pub async fn catch_up(
        &self,
        audience: &Audience,
        policy: LogPolicy,
        since: &Position,
        reach: Reach,
        budget: &mut Budget,
        now: SystemTime,
    ) -> Result<Synced, LogError> {
        let request = Request {
            audience,
            policy,
            reach,
            now: in_milliseconds(now),
            fills: true,
        };
        let head = self.rows.head(audience, Consistency::Strong).await?;
        if head.as_ref().map_or(Position::START, Head::end) == *since {
            return Ok(Synced::Current);
        }
        let recovery = self.since(request, head, since, budget).await?;
        Ok(Synced::Behind(recovery))
    }

    /// Returns messages of the log. A read since a position fills the holes that a reader may fill. A read
    /// before an offset is not without gaps: messages that were never stored are left out.
    ///
    /// # Errors
    ///
    /// Returns [`LogError`] if the log could not be read, or a hole not filled.
    pub async fn history(
        &self,
        audience: &Audience,
        policy: LogPolicy,
        selection: &Selection,
        budget: &mut Budget,
        now: SystemTime,
    ) -> Result<Recovery, LogError> {
        let request = Request {
            audience,
            policy,
            reach: Reach::Log,
            now: in_milliseconds(now),
            fills: true,
        };
        let head = self.rows.head(audience, Consistency::Strong).await?;
        match *selection {
            Selection::Since(ref since) => self.since(request, head, since, budget).await,
            Selection::Last(count) => {
                let excerpt = self.last(request, head, count, budget).await?;
                Ok(Recovery::Recovered(excerpt))
            }
            Selection::Before(offset, count) => {
                let excerpt = self.before(request, head, offset, count, budget).await?;
                Ok(Recovery::Recovered(excerpt))
            }
        }
    }

    /// Returns the last messages, at most `count`, up to the highest offset up to which none is missing. It
    /// fills no hole.
    ///
    /// # Errors
    ///
    /// Returns [`LogError`] if the log could not be read.
    pub async fn rewind(
        &self,
        audience: &Audience,
        policy: LogPolicy,
        count: usize,
        budget: &mut Budget,
        now: SystemTime,
    ) -> Result<Excerpt, LogError> {
        let request = Request {
            audience,
            policy,
            reach: Reach::Log,
            now: in_milliseconds(now),
            fills: false,
        };
        let head = self.rows.head(audience, Consistency::Strong).await?;
        self.last(request, head, count, budget).await
    }

    async fn since(
        &self,
        request: Request<'_>,
        head: Option<Head>,
        since: &Position,
        budget: &mut Budget,
    ) -> Result<Recovery, LogError> {
        let Some(head) = head else {
            return Ok(match since.epoch {
                None => Recovery::Recovered(Excerpt::empty(Position::START)),
                Some(_) => Recovery::Lost(Position::START),
            });
        };
        if !is_of_epoch(since, &head) || since.offset > head.top {
            return Ok(Recovery::Lost(head.end()));
        }
        if since.offset == head.top {
            return Ok(Recovery::Recovered(Excerpt::empty(head.end())));
        }
        let (seconds, size) = match (head.retention, request.policy) {
            (Retention::Seconds(seconds), LogPolicy::Messages { messages, .. }) => {
                (seconds, messages)
            }
            (Retention::Last, LogPolicy::Last) => return Ok(last_value(request, &head, budget)),
            // The next message begins another epoch.
            _ => return Ok(Recovery::Lost(head.end())),
        };
        if head.top - since.offset > size {
            return Ok(Recovery::Lost(head.end()));
        }
        let mut left = *budget;
        let recovery = Scan::new(&self.rows, request, &head, seconds, since.offset)
            .recover(&mut left)
            .await?;
        if matches!(recovery, Recovery::Recovered(_)) {
            *budget = left;
        }
        Ok(recovery)
    }

    async fn last(
        &self,
        request: Request<'_>,
        head: Option<Head>,
        count: usize,
        budget: &mut Budget,
    ) -> Result<Excerpt, LogError> {
        let Some(head) = head else {
            return Ok(Excerpt::empty(Position::START));
        };
        if head.retention == Retention::Last {
            return Ok(
                match last_value(request, &head, &mut budget.at_most(count)) {
                    Recovery::Recovered(excerpt) => excerpt,
                    Recovery::Lost(position) => Excerpt::empty(position),
                },
            );
        }
        let first = first_of(&head, request.policy, head.top, count);
        let rows = self.present(request, &head, first, head.top).await?;
        let mut run: Vec<LogRow> = Vec::new();
        for row in rows {
            // Where a row is missing after the first, the excerpt ends: the message is on its way.
            if run.last().is_some_and(|last| last.offset + 1 < row.offset) {
                break;
            }
            run.push(row);
        }
        let reached = run.last().map_or(head.top, |row| row.offset);
        Ok(Excerpt {
            position: Position::after(head.epoch, reached),
            top: head.top,
            messages: newest(run, budget),
            more: false,
        })
    }

    async fn before(
        &self,
        request: Request<'_>,
        head: Option<Head>,
        offset: u64,
        count: usize,
        budget: &mut Budget,
    ) -> Result<Excerpt, LogError> {
        let Some(head) = head.filter(|head| head.retention != Retention::Last && offset > 1) else {
            return Ok(Excerpt::empty(Position::START));
        };
        let last = (offset - 1).min(head.top);
        let first = first_of(&head, request.policy, last, count);
        let rows = self.present(request, &head, first, last).await?;
        Ok(Excerpt {
            position: Position::after(head.epoch, last),
            top: head.top,
            messages: newest(rows, budget),
            more: false,
        })
    }

    /// Reads the rows of a range that are present.
    async fn present(
        &self,
        request: Request<'_>,
        head: &Head,
        first: u64,
        last: u64,
    ) -> Result<Vec<LogRow>, LogError> {
        let Retention::Seconds(seconds) = head.retention else {
            return Ok(Vec::new());
        };
        let mut pages = Pages::new(request.audience, &head.epoch, first, last);
        let mut present = Vec::new();
        while let Some(row) = pages.next(&self.rows).await? {
            if row.expires_at(seconds) > request.now {
                present.push(row);
            }
        }
        Ok(present)
    }
}

/// Returns whether offsets after the position can be compared with those of the head.
fn is_of_epoch(since: &Position, head: &Head) -> bool {
    match &since.epoch {
        Some(epoch) => *epoch == head.epoch,
        None => since.offset == 0 && !head.restarted,
    }
}

/// Returns the first of the last `count` offsets up to `last` that the policy lets a client read.
fn first_of(head: &Head, policy: LogPolicy, last: u64, count: usize) -> u64 {
    let size = match policy {
        LogPolicy::Messages { messages, .. } => messages,
        LogPolicy::Last => 1,
    };
    let oldest = head.top.saturating_sub(size);
    last.saturating_sub(count as u64).max(oldest) + 1
}

/// Returns the last message of a log in mode `last`: it stands for all before it.
fn last_value(request: Request<'_>, head: &Head, budget: &mut Budget) -> Recovery {
    let Some(frame) = &head.frame else {
        return Recovery::Lost(head.end());
    };
    if is_beyond(request, head.at) {
        return Recovery::Lost(head.end());
    }
    let frame = frame::numbered(frame, &head.epoch, head.top);
    let mut excerpt = Excerpt::empty(head.end());
    if budget.spend(&frame) {
        excerpt.messages.push(frame);
    } else {
        excerpt.position.offset = head.top - 1;
        excerpt.more = true;
    }
    Recovery::Recovered(excerpt)
}

/// Returns whether a message that claimed its offset then is older than the client may read.
fn is_beyond(request: Request<'_>, at: Duration) -> bool {
    match request.reach {
        Reach::Log => false,
        Reach::Within(reach) => at + reach < request.now,
    }
}

/// Returns the newest messages that the budget has room for, in their order.
fn newest(rows: Vec<LogRow>, budget: &mut Budget) -> Vec<Box<RawValue>> {
    let mut frames = Vec::new();
    for row in rows.into_iter().rev() {
        if let Content::Message { frame, .. } = row.content {
            if !budget.spend(&frame) {
                break;
            }
            frames.push(frame);
        }
    }
    frames.reverse();
    frames
}
