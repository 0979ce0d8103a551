//! The rows of a range, read page by page.

use std::vec;

use crate::{
    audience::Audience,
    log::{Epoch, LogError, LogRow, LogRows},
};

/// The most rows of one request. A query pays for every row that it reads, so a page beyond the budget of
/// a reply would cost more than the reply.
const PAGE: usize = 50;

/// Rows in the order of their offsets.
pub(super) struct Pages<'a> {
    audience: &'a Audience,
    epoch: &'a Epoch,
    /// The rest of the page that was read.
    page: vec::IntoIter<LogRow>,
    /// The first offset after that page. `None` if it was the last page.
    next: Option<u64>,
    last: u64,
}

impl<'a> Pages<'a> {
    pub(super) fn new(audience: &'a Audience, epoch: &'a Epoch, first: u64, last: u64) -> Self {
        Self {
            audience,
            epoch,
            page: Vec::new().into_iter(),
            next: Some(first),
            last,
        }
    }

    /// Returns the next row. `None` at the end of the range.
    pub(super) async fn next(&mut self, rows: &impl LogRows) -> Result<Option<LogRow>, LogError> {
        loop {
            if let Some(row) = self.page.next() {
                return Ok(Some(row));
            }
            let Some(first) = self.next.filter(|first| *first <= self.last) else {
                return Ok(None);
            };
            let read = rows.rows(self.audience, self.epoch, first..=self.last, PAGE);
            let read = read.await?;
            self.next = read.read_to.map(|offset| offset + 1);
            self.page = read.rows.into_iter();
        }
    }
}
