//! The rows of presence, one request at a time.
//!
//! Each method is one request, and the table checks each condition atomically with the write.
//! [`Members`](super::Members) decides the order of the requests. Times are whole seconds since the Unix
//! epoch.

use std::future::Future;

use serde::{Deserialize, Serialize};

use super::Info;
use crate::{
    ids::{ConnectionId, EntityId, UserId},
    store::{StoreError, Superseded},
};

/// One connection as a member of an entity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// The user. `None` if the connection is anonymous.
    pub user: Option<UserId>,
    /// The connection.
    pub connection: ConnectionId,
}

/// The row of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// The member.
    pub member: Member,
    /// The info of the connection's token.
    pub info: Option<Info>,
    /// The number of the connection's change that wrote the row.
    pub change: u64,
    /// The time at which the member counts as left.
    pub expires_at: u64,
    /// True if a frame has told of the user, or the anonymous connection, and none of its leaving since.
    pub announced: bool,
    /// True if the member has left.
    pub left: bool,
}

impl MemberRow {
    /// Returns whether the member is present at `now`.
    pub fn is_present(&self, now: u64) -> bool {
        !self.left && self.expires_at > now
    }
}

/// A member row to be written.
#[derive(Clone, Copy, Debug)]
pub struct Joining<'a> {
    /// The entity.
    pub entity: &'a EntityId,
    /// The member.
    pub member: &'a Member,
    /// The info of the connection's token.
    pub info: Option<&'a Info>,
    /// The number of the change.
    pub change: u64,
    /// The time at which the member counts as left.
    pub expires_at: u64,
}

/// The result of a [`Joining`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Joined {
    /// The row is written, in the place of this one.
    Written(Option<MemberRow>),
    /// A later change has written the row.
    Superseded,
}

/// The row of an entity's set of members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetRow {
    /// The version of the last frame. 0 if there was none.
    pub version: u64,
    /// The count in the last frame.
    pub count: usize,
    /// The number of flushes that changed rows or sent a frame.
    pub turn: u64,
    /// The time at which a flush is due. `None` if none is scheduled.
    pub flush_at: Option<u64>,
    /// The time at which the flush of the next expiry is due. `None` if none is scheduled.
    pub watch_at: Option<u64>,
}

/// A flush of an entity's changes: a message on the notification queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Flush {
    /// The entity.
    pub entity_id: EntityId,
    /// The reason.
    pub reason: FlushReason,
    /// The time at which it is due.
    pub at: u64,
}

/// The reason for a [`Flush`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FlushReason {
    /// Members joined or left.
    Changes,
    /// A member row expires, or an earlier flush was lost.
    Expiry,
}

/// The start of a flush.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The flush is no longer scheduled; this is the set.
    Removed(SetRow),
    /// Another flush is scheduled, at a later time or, for an expiry, at another; this is the set.
    Other(SetRow),
}

/// The result of a flush's commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// The set has the new version and count.
    Made,
    /// Another flush committed meanwhile; this is the set.
    Refused(SetRow),
}

/// The commit of a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The turn that the set must have, which becomes the next one.
    pub turn: u64,
    /// The new version.
    pub version: u64,
    /// The new count.
    pub count: usize,
}

/// The first rows of a set.
#[derive(Clone, Debug, Default)]
pub struct MemberPage {
    /// The rows.
    pub rows: Vec<MemberRow>,
    /// The member that the page was read to. `None` if the set has no more.
    pub read_to: Option<Member>,
}

/// The rows of presence.
///
/// # Errors
///
/// Every method returns [`StoreError`] if the table did not answer, or refused for a reason other than
/// the condition. The write may then have been applied, or may still be.
pub trait MemberRows: Send + Sync {
    /// Writes a member's row as present, unless a later change has written it. A row that was announced
    /// stays so.
    fn join(&self, joining: Joining<'_>)
    -> impl Future<Output = Result<Joined, StoreError>> + Send;

    /// Marks a member's row as left, with the number of the change, if the row is `superseded`. Returns
    /// the row if it is marked, now or before. `None` if the member has no such row.
    fn leave(
        &self,
        entity: &EntityId,
        member: &Member,
        superseded: Superseded,
    ) -> impl Future<Output = Result<Option<MemberRow>, StoreError>> + Send;

    /// Reads a member's row. A write of the last second may be missing. `None` if it does not exist.
    fn member(
        &self,
        entity: &EntityId,
        member: &Member,
    ) -> impl Future<Output = Result<Option<MemberRow>, StoreError>> + Send;

    /// Reads the first page of the member rows after a member, consistently.
    fn members(
        &self,
        entity: &EntityId,
        after: Option<&Member>,
    ) -> impl Future<Output = Result<MemberPage, StoreError>> + Send;

    /// Marks a row as announced, if it is as `seen` and has not left. Returns whether it is.
    fn mark_announced(
        &self,
        entity: &EntityId,
        seen: &MemberRow,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Marks a row as left and not announced, if its change and expiry are as `seen`. Returns whether they
    /// are.
    fn retire(
        &self,
        entity: &EntityId,
        seen: &MemberRow,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Removes a row, if its change and expiry are as `seen`.
    fn remove(
        &self,
        entity: &EntityId,
        seen: &MemberRow,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Reads the set consistently. `None` if it does not exist.
    fn set(
        &self,
        entity: &EntityId,
    ) -> impl Future<Output = Result<Option<SetRow>, StoreError>> + Send;

    /// Schedules a flush at its time, if the set still has the `previous` one of its reason. Returns whether
    /// it had.
    fn schedule(
        &self,
        flush: &Flush,
        previous: Option<u64>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Removes the schedule of a flush: of changes at its time or earlier, of an expiry at exactly its time.
    /// Returns the set after it.
    fn begin(&self, flush: &Flush) -> impl Future<Output = Result<Begun, StoreError>> + Send;

    /// Commits a flush, if no other has committed since the set was read.
    fn commit(
        &self,
        entity: &EntityId,
        commit: Commit,
    ) -> impl Future<Output = Result<Committed, StoreError>> + Send;
}
