//! The rows of presence in memory, for tests of code that needs them. They pass the same contract as the rows
//! in DynamoDB.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    Begun, Commit, Committed, Flush, FlushReason, Joined, Joining, Member, MemberPage, MemberRow,
    MemberRows, SetRow,
};
use crate::{
    ids::EntityId,
    store::{StoreError, Superseded},
};

/// The rows in memory.
#[derive(Debug)]
pub struct MemoryMemberRows {
    tables: Mutex<Tables>,
    page_size: usize,
}

#[derive(Debug, Default)]
struct Tables {
    members: BTreeMap<(EntityId, Member), MemberRow>,
    sets: BTreeMap<EntityId, SetRow>,
}

impl MemoryMemberRows {
    /// Returns an empty table that is read in pages of this size.
    pub fn new(page_size: usize) -> Self {
        Self {
            tables: Mutex::default(),
            page_size,
        }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn as_seen(&mut self, entity: &EntityId, seen: &MemberRow) -> Option<&mut MemberRow> {
        let row = self.members.get_mut(&key(entity, &seen.member))?;
        (row.change == seen.change && row.expires_at == seen.expires_at).then_some(row)
    }
}

fn key(entity: &EntityId, member: &Member) -> (EntityId, Member) {
    (entity.clone(), member.clone())
}

fn scheduled(set: &mut SetRow, reason: FlushReason) -> &mut Option<u64> {
    match reason {
        FlushReason::Changes => &mut set.flush_at,
        FlushReason::Expiry => &mut set.watch_at,
    }
}

impl MemberRows for MemoryMemberRows {
    async fn join(&self, joining: Joining<'_>) -> Result<Joined, StoreError> {
        let mut tables = self.tables();
        let key = key(joining.entity, joining.member);
        let before = tables.members.get(&key).cloned();
        if before
            .as_ref()
            .is_some_and(|row| row.change > joining.change)
        {
            return Ok(Joined::Superseded);
        }
        let row = MemberRow {
            member: joining.member.clone(),
            info: joining.info.cloned(),
            change: joining.change,
            expires_at: joining.expires_at,
            announced: before.as_ref().is_some_and(|row| row.announced),
            left: false,
        };
        tables.members.insert(key, row);
        Ok(Joined::Written(before))
    }

    async fn leave(
        &self,
        entity: &EntityId,
        member: &Member,
        superseded: Superseded,
    ) -> Result<Option<MemberRow>, StoreError> {
        let mut tables = self.tables();
        let Some(row) = tables.members.get_mut(&key(entity, member)) else {
            return Ok(None);
        };
        if !row.left && superseded.covers(row.change) {
            row.left = true;
            row.change = superseded.bound();
        }
        Ok(row.left.then(|| row.clone()))
    }

    async fn member(
        &self,
        entity: &EntityId,
        member: &Member,
    ) -> Result<Option<MemberRow>, StoreError> {
        Ok(self.tables().members.get(&key(entity, member)).cloned())
    }

    async fn members(
        &self,
        entity: &EntityId,
        after: Option<&Member>,
    ) -> Result<MemberPage, StoreError> {
        let tables = self.tables();
        let rows: Vec<_> = tables
            .members
            .iter()
            .filter(|((of, member), _)| of == entity && after.is_none_or(|after| member > after))
            .take(self.page_size)
            .map(|(_, row)| row.clone())
            .collect();
        // DynamoDB, too, ends a full page without a look at the next row.
        let last = rows.last().filter(|_| rows.len() == self.page_size);
        Ok(MemberPage {
            read_to: last.map(|row| row.member.clone()),
            rows,
        })
    }

    async fn mark_announced(
        &self,
        entity: &EntityId,
        seen: &MemberRow,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let row = tables.as_seen(entity, seen).filter(|row| !row.left);
        Ok(row.map(|row| row.announced = true).is_some())
    }

    async fn retire(&self, entity: &EntityId, seen: &MemberRow) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let row = tables.as_seen(entity, seen);
        Ok(row
            .map(|row| (row.left, row.announced) = (true, false))
            .is_some())
    }

    async fn remove(&self, entity: &EntityId, seen: &MemberRow) -> Result<(), StoreError> {
        let mut tables = self.tables();
        if tables.as_seen(entity, seen).is_some() {
            tables.members.remove(&key(entity, &seen.member));
        }
        Ok(())
    }

    async fn set(&self, entity: &EntityId) -> Result<Option<SetRow>, StoreError> {
        Ok(self.tables().sets.get(entity).cloned())
    }

    async fn schedule(&self, flush: &Flush, previous: Option<u64>) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let set = tables.sets.entry(flush.entity_id.clone()).or_default();
        let scheduled = scheduled(set, flush.reason);
        if *scheduled != previous {
            return Ok(false);
        }
        *scheduled = Some(flush.at);
        Ok(true)
    }

    async fn begin(&self, flush: &Flush) -> Result<Begun, StoreError> {
        let mut tables = self.tables();
        let set = tables.sets.entry(flush.entity_id.clone()).or_default();
        let scheduled = scheduled(set, flush.reason);
        let is_own = scheduled.is_none_or(|at| match flush.reason {
            FlushReason::Changes => at <= flush.at,
            FlushReason::Expiry => at == flush.at,
        });
        if !is_own {
            return Ok(Begun::Other(set.clone()));
        }
        *scheduled = None;
        Ok(Begun::Removed(set.clone()))
    }

    async fn commit(&self, entity: &EntityId, commit: Commit) -> Result<Committed, StoreError> {
        let mut tables = self.tables();
        let set = tables.sets.entry(entity.clone()).or_default();
        if set.turn != commit.turn {
            return Ok(Committed::Refused(set.clone()));
        }
        set.turn += 1;
        set.version = commit.version;
        set.count = commit.count;
        Ok(Committed::Made)
    }
}
