//! The scan of a log from a client's position: how far nothing is missing.

use std::time::Duration;

use super::{
    Budget, CLOCK_MARGIN, Content, Excerpt, FILL_AFTER, Head, LogError, LogRow, LogRows, Pages,
    Position, Put, Recovery, Request, is_beyond,
};

/// One scan. It goes up from the client's position, and stops at the first offset that is missing.
pub(super) struct Scan<'a, R> {
    rows: &'a R,
    request: Request<'a>,
    head: &'a Head,
    /// The retention of the log.
    seconds: u64,
    /// The offset up to which nothing is missing.
    reached: u64,
    /// The latest time at which the offset that was reached was claimed, if its row proves it.
    proof: Option<Duration>,
}

/// The result of a look at a hole.
enum Hole {
    /// The offset has this row by now.
    Closed(LogRow),
    /// Its message may still be on its way.
    Open,
    /// Its message may have expired.
    Unproven,
}

impl<'a, R: LogRows> Scan<'a, R> {
    pub(super) fn new(
        rows: &'a R,
        request: Request<'a>,
        head: &'a Head,
        seconds: u64,
        since: u64,
    ) -> Self {
        Self {
            rows,
            request,
            head,
            seconds,
            reached: since,
            proof: None,
        }
    }

    /// Returns every message after the position, or that they are lost.
    pub(super) async fn recover(mut self, budget: &mut Budget) -> Result<Recovery, LogError> {
        let (since, top) = (self.reached, self.head.top);
        // The client's own row is the first proof that nothing after it has expired.
        let first = since.max(1);
        let mut pages = Pages::new(self.request.audience, &self.head.epoch, first, top);
        let mut excerpt = Excerpt::empty(self.head.end());
        let mut next = self.next_present(&mut pages).await?;
        if let Some(row) = next.take_if(|row| row.offset == since) {
            self.proof = Some(row.at);
            next = self.next_present(&mut pages).await?;
        }
        while self.reached < top {
            let row = match next.take_if(|row| row.offset == self.reached + 1) {
                Some(row) => {
                    next = self.next_present(&mut pages).await?;
                    row
                }
                None => match self.hole(next.as_ref()).await? {
                    Hole::Closed(row) => row,
                    Hole::Open => break,
                    Hole::Unproven => return Ok(Recovery::Lost(self.head.end())),
                },
            };
            if let Content::Message { frame, .. } = row.content {
                if is_beyond(self.request, row.at) {
                    return Ok(Recovery::Lost(self.head.end()));
                }
                if !budget.spend(&frame) {
                    excerpt.more = true;
                    break;
                }
                excerpt.messages.push(frame);
            }
            self.reached = row.offset;
            self.proof = Some(row.at);
        }
        excerpt.position = Position::after(self.head.epoch.clone(), self.reached);
        Ok(Recovery::Recovered(excerpt))
    }

    /// Returns the next row that has not expired.
    async fn next_present(&self, pages: &mut Pages<'_>) -> Result<Option<LogRow>, LogError> {
        while let Some(row) = pages.next(self.rows).await? {
            if row.expires_at(self.seconds) > self.request.now {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Judges the offset after the one that was reached, whose row is missing, and fills it if it may.
    async fn hole(&self, next: Option<&LogRow>) -> Result<Hole, LogError> {
        let Some(claimed_after) = self.claimed_after() else {
            return Ok(Hole::Unproven);
        };
        let claimed_before = next.map_or(self.head.at, |row| row.at);
        if !self.request.fills || claimed_before + FILL_AFTER > self.request.now {
            return Ok(Hole::Open);
        }
        let row = LogRow {
            offset: self.reached + 1,
            // Not later than its neighbours, so that it expires before any row that it would prove.
            at: claimed_after,
            content: Content::Gone,
        };
        // It stays in the way of its event for as long as that may still use the offset.
        let kept_until = self.request.now + Duration::from_secs(self.seconds);
        let (audience, epoch) = (self.request.audience, &self.head.epoch);
        let put = self.rows.put(audience, epoch, &row, kept_until);
        Ok(Hole::Closed(match put.await? {
            Put::Stored => row,
            Put::Occupied(row) => row,
        }))
    }

    /// Returns a moment before which the missing offset was not claimed, and which is recent enough that its
    /// message cannot have expired. `None` if nothing proves that.
    fn claimed_after(&self) -> Option<Duration> {
        let is_last = self.reached + 1 == self.head.top;
        let known = [
            self.proof,
            Some(self.head.made_at),
            is_last.then_some(self.head.at),
        ];
        let latest = known.into_iter().flatten().max()?;
        let expires_at = Duration::from_secs(latest.as_secs().saturating_add(self.seconds));
        (expires_at > self.request.now + CLOCK_MARGIN).then_some(latest)
    }
}
