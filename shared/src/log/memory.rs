//! The rows of the history table in memory, for tests of what stands on a log. They keep the same contract
//! as those on DynamoDB.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    Claim, Claimed, Consistency, Epoch, Head, Log, LogError, LogRow, LogRows, Put, RowPage,
};
use crate::audience::Audience;

/// The logs in memory.
pub type MemoryLog = Log<MemoryLogRows>;

impl MemoryLog {
    /// Returns logs without messages.
    pub fn new() -> Self {
        Self::over(MemoryLogRows::default())
    }
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new()
    }
}

/// The rows in memory. They do not expire by themselves: DynamoDB's may be there for days, too.
#[derive(Debug, Default)]
pub struct MemoryLogRows {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    heads: BTreeMap<Audience, Head>,
    rows: BTreeMap<(Audience, Epoch), BTreeMap<u64, Row>>,
}

#[derive(Debug)]
struct Row {
    row: LogRow,
    kept_until: Duration,
}

impl MemoryLogRows {
    /// Removes the rows that may go, as the table's time to live does some time after that.
    pub fn remove_expired(&self, now: Duration) {
        for rows in self.tables().rows.values_mut() {
            rows.retain(|_, row| row.kept_until > now);
        }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_admitted(head: &Head, claim: &Claim<'_>) -> bool {
    let version = claim.last.and_then(|last| last.version);
    head.retention == claim.retention
        && claim.events.iter().all(|event| event.is_admitted(head))
        && version.is_none_or(|version| head.version.is_none_or(|present| present < version))
}

impl LogRows for MemoryLogRows {
    async fn claim(&self, audience: &Audience, claim: Claim<'_>) -> Result<Claimed, LogError> {
        let mut tables = self.tables();
        let head = tables.heads.entry(audience.clone());
        let head = head.or_insert_with(|| Head::empty(&claim));
        if !is_admitted(head, &claim) {
            return Ok(Claimed::Refused(head.clone()));
        }
        head.apply(&claim);
        Ok(Claimed::Made(head.clone()))
    }

    async fn replace_head(
        &self,
        audience: &Audience,
        ended: &Epoch,
        head: &Head,
    ) -> Result<bool, LogError> {
        let mut tables = self.tables();
        match tables.heads.get_mut(audience) {
            Some(present) if present.epoch == *ended => {
                *present = head.clone();
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn head(&self, audience: &Audience, _: Consistency) -> Result<Option<Head>, LogError> {
        Ok(self.tables().heads.get(audience).cloned())
    }

    async fn put(
        &self,
        audience: &Audience,
        epoch: &Epoch,
        row: &LogRow,
        kept_until: Duration,
    ) -> Result<Put, LogError> {
        let mut tables = self.tables();
        let log = (audience.clone(), epoch.clone());
        let rows = tables.rows.entry(log).or_default();
        if let Some(present) = rows.get(&row.offset) {
            return Ok(Put::Occupied(present.row.clone()));
        }
        let row = row.clone();
        rows.insert(row.offset, Row { row, kept_until });
        Ok(Put::Stored)
    }

    async fn rows(
        &self,
        audience: &Audience,
        epoch: &Epoch,
        offsets: RangeInclusive<u64>,
        limit: usize,
    ) -> Result<RowPage, LogError> {
        let tables = self.tables();
        let rows = tables.rows.get(&(audience.clone(), epoch.clone()));
        let rows: Vec<_> = rows
            .into_iter()
            .flat_map(|rows| rows.range(offsets.clone()))
            .take(limit)
            .map(|(_, row)| row.row.clone())
            .collect();
        // As DynamoDB, which does not look whether anything follows a full page.
        let full = rows.len() == limit;
        let last = rows.last().filter(|_| full);
        Ok(RowPage {
            read_to: last.map(|row| row.offset),
            rows,
        })
    }
}
