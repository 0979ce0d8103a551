//! The users of an entity, from its member rows.

use std::collections::BTreeMap;

use super::MemberRow;
use crate::{
    ids::UserId,
    protocol::{PresentUser, UserLeft},
};

/// The member rows of an entity, by user.
#[derive(Debug, Default)]
pub(super) struct Users<'a> {
    users: BTreeMap<&'a UserId, Vec<&'a MemberRow>>,
    anonymous: Vec<&'a MemberRow>,
}

impl<'a> Users<'a> {
    pub(super) fn of(rows: &'a [MemberRow]) -> Self {
        let mut users = Self::default();
        for row in rows {
            match &row.member.user {
                Some(user) => users.users.entry(user).or_default().push(row),
                None => users.anonymous.push(row),
            }
        }
        users
    }

    /// Returns the number of users and anonymous connections that are present.
    pub(super) fn count(&self, now: u64) -> usize {
        let users = self.users.values();
        let users = users.filter(|rows| rows.iter().any(|row| row.is_present(now)));
        let anonymous = self.anonymous.iter();
        users.count() + anonymous.filter(|row| row.is_present(now)).count()
    }

    /// Returns the users for a snapshot, in the order of their ids: those that are present, and those whose
    /// leaving no flush has begun to tell. If one of the latter comes back first, no frame tells of it.
    pub(super) fn listed(&self, now: u64) -> Vec<PresentUser> {
        let users = self.users.iter();
        users
            .filter_map(|(user, rows)| present(user, rows, now).or_else(|| announced(user, rows)))
            .collect()
    }

    /// Returns the number of users for a snapshot and of anonymous connections. Of these it is the higher one
    /// of those that are present and those that were told: if both are as many, no frame follows.
    pub(super) fn listed_count(&self, now: u64) -> usize {
        let anonymous =
            |is: &dyn Fn(&MemberRow) -> bool| self.anonymous.iter().filter(|&row| is(row)).count();
        let present = anonymous(&|row| row.is_present(now));
        self.listed(now).len() + present.max(anonymous(&|row| row.announced))
    }

    /// Returns the users that are present and that no frame told of.
    pub(super) fn joined(&self, now: u64) -> Vec<PresentUser> {
        let unknown = self.users.iter();
        let unknown = unknown.filter(|(_, rows)| !rows.iter().any(|row| row.announced));
        unknown
            .filter_map(|(user, rows)| present(user, rows, now))
            .collect()
    }

    /// Returns the users of which no row is present.
    pub(super) fn left(&self, now: u64) -> Vec<UserLeft> {
        self.gone(now)
            .map(|(user, _)| UserLeft {
                user_id: (*user).clone(),
            })
            .collect()
    }

    /// Returns the rows of the users that left which must be retired before a frame tells so: all but those
    /// that are retired, or were never announced.
    pub(super) fn to_retire(&self, now: u64) -> Vec<&'a MemberRow> {
        let rows = self.gone(now).flat_map(|(_, rows)| rows);
        rows.copied()
            .filter(|row| row.announced || !row.left)
            .collect()
    }

    fn gone(&self, now: u64) -> impl Iterator<Item = (&&'a UserId, &Vec<&'a MemberRow>)> {
        let users = self.users.iter();
        users.filter(move |(_, rows)| !rows.iter().any(|row| row.is_present(now)))
    }
}

fn present(user: &UserId, rows: &[&MemberRow], now: u64) -> Option<PresentUser> {
    user_of(user, rows.iter().filter(|row| row.is_present(now)))
}

fn announced(user: &UserId, rows: &[&MemberRow]) -> Option<PresentUser> {
    user_of(user, rows.iter().filter(|row| row.announced))
}

fn user_of<'a>(
    user: &UserId,
    rows: impl Iterator<Item = &'a &'a MemberRow>,
) -> Option<PresentUser> {
    let rows: Vec<_> = rows.collect();
    // The connection that was heard of last.
    let last = rows.iter().max_by_key(|row| row.expires_at)?;
    Some(PresentUser {
        user_id: user.clone(),
        connections: rows.len(),
        info: last.info.clone(),
    })
}
